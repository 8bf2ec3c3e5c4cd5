package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/sharedlist"
)

func (s *server) ListSharedLists(ctx context.Context, req ListSharedListsRequestObject) (ListSharedListsResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Lists.Lists(ctx, principalOf(ctx), tenantID, sharedlist.PageParams{Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor)})
	if err != nil {
		return nil, err
	}
	return ListSharedLists200JSONResponse{Data: mapSlice(page.Lists, sharedListFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) CreateSharedList(ctx context.Context, req CreateSharedListRequestObject) (CreateSharedListResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	list, err := s.Lists.Create(ctx, principalOf(ctx), tenantID, sharedlist.Params{Name: &req.Body.Name, Reason: req.Body.Reason})
	if err != nil {
		return nil, err
	}
	return CreateSharedList201JSONResponse(sharedListFrom(list)), nil
}

func (s *server) GetSharedList(ctx context.Context, req GetSharedListRequestObject) (GetSharedListResponseObject, error) {
	tenantID, listID, err := parseIDs(req.TenantID, req.ListID)
	if err != nil {
		return nil, err
	}
	list, accounts, err := s.Lists.Get(ctx, principalOf(ctx), tenantID, listID)
	if err != nil {
		return nil, err
	}
	return GetSharedList200JSONResponse{List: sharedListFrom(list), Accounts: mapSlice(accounts, listAccountFrom)}, nil
}

func (s *server) UpdateSharedList(ctx context.Context, req UpdateSharedListRequestObject) (UpdateSharedListResponseObject, error) {
	tenantID, listID, err := parseIDs(req.TenantID, req.ListID)
	if err != nil {
		return nil, err
	}
	list, err := s.Lists.Update(ctx, principalOf(ctx), tenantID, listID, sharedlist.Params{Name: req.Body.Name, Reason: req.Body.Reason})
	if err != nil {
		return nil, err
	}
	return UpdateSharedList200JSONResponse(sharedListFrom(list)), nil
}

func (s *server) DeleteSharedList(ctx context.Context, req DeleteSharedListRequestObject) (DeleteSharedListResponseObject, error) {
	tenantID, listID, err := parseIDs(req.TenantID, req.ListID)
	if err != nil {
		return nil, err
	}
	if err := s.Lists.Delete(ctx, principalOf(ctx), tenantID, listID, orZero(req.Params.Reason)); err != nil {
		return nil, err
	}
	return DeleteSharedList204Response{}, nil
}

func (s *server) ListSharedPersons(ctx context.Context, req ListSharedPersonsRequestObject) (ListSharedPersonsResponseObject, error) {
	tenantID, listID, err := parseIDs(req.TenantID, req.ListID)
	if err != nil {
		return nil, err
	}
	page, err := s.Lists.Persons(ctx, principalOf(ctx), tenantID, listID, sharedlist.PersonsParams{
		Query: orZero(req.Params.Q), Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListSharedPersons200JSONResponse{Data: mapSlice(page.Persons, sharedPersonFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) AddSharedPersons(ctx context.Context, req AddSharedPersonsRequestObject) (AddSharedPersonsResponseObject, error) {
	tenantID, listID, err := parseIDs(req.TenantID, req.ListID)
	if err != nil {
		return nil, err
	}
	added, err := s.Lists.Add(ctx, principalOf(ctx), tenantID, listID, sharedlist.Addition{
		UnionIDs: orZero(req.Body.Unionids), OpenIDs: orZero(req.Body.Openids), AppID: orZero(req.Body.Appid), Reason: orZero(req.Body.Reason),
	})
	if err != nil {
		return nil, err
	}
	return AddSharedPersons202JSONResponse{Added: added.Added, Already: added.Already, Skipped: added.Skipped}, nil
}

func (s *server) GetSharedPerson(ctx context.Context, req GetSharedPersonRequestObject) (GetSharedPersonResponseObject, error) {
	tenantID, listID, personID, err := parsePerson(req.TenantID, req.ListID, req.PersonID)
	if err != nil {
		return nil, err
	}
	person, places, err := s.Lists.Person(ctx, principalOf(ctx), tenantID, listID, personID)
	if err != nil {
		return nil, err
	}
	return GetSharedPerson200JSONResponse{Person: sharedPersonFrom(person), Places: mapSlice(places, sharedPlaceFrom)}, nil
}

func (s *server) RemoveSharedPerson(ctx context.Context, req RemoveSharedPersonRequestObject) (RemoveSharedPersonResponseObject, error) {
	tenantID, listID, personID, err := parsePerson(req.TenantID, req.ListID, req.PersonID)
	if err != nil {
		return nil, err
	}
	if err := s.Lists.Remove(ctx, principalOf(ctx), tenantID, listID, personID, orZero(req.Params.Reason)); err != nil {
		return nil, err
	}
	return RemoveSharedPerson204Response{}, nil
}

func parsePerson(tenantID, listID, personID string) (tenant, list, person uuid.UUID, err error) {
	if tenant, list, err = parseIDs(tenantID, listID); err != nil {
		return tenant, list, person, err
	}
	person, err = parseID(personID)
	return tenant, list, person, err
}

func sharedListFrom(l sharedlist.List) SharedList {
	return SharedList{
		ID: l.ID.String(), Name: l.Name, Reason: l.Reason, Persons: l.Persons, Working: l.Working, CreatedAt: stamp(l.CreatedAt), CreatedBy: l.CreatedBy,
	}
}

func listAccountFrom(a sharedlist.Account) SharedListAccount {
	return SharedListAccount{Appid: a.AppID, NickName: a.NickName, Coverage: SharedListAccountCoverage(a.Coverage), Advice: a.Coverage.Advice()}
}

func sharedPersonFrom(p sharedlist.Person) SharedPerson {
	return SharedPerson{
		ID: p.ID.String(), Unionid: given(p.UnionID), Appid: given(p.AuthorizerAppID), Openid: given(p.OpenID),
		Reason: p.Reason, AddedAt: stamp(p.AddedAt), AddedBy: p.AddedBy,
	}
}

func sharedPlaceFrom(p sharedlist.Place) SharedPlace {
	return SharedPlace{
		Appid: p.AppID, Openid: p.OpenID, State: SharedPlaceState(p.State), BatchID: idOrNil(p.BatchID), Errcode: p.ErrCode, Rid: p.RID, Advice: p.Advice,
	}
}
