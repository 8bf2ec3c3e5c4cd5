package api

import (
	"context"

	"github.com/wechat-steward/steward/follower"
)

func (s *server) GetFollowerDirectory(ctx context.Context, req GetFollowerDirectoryRequestObject) (GetFollowerDirectoryResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	d, err := s.Followers.Directory(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return GetFollowerDirectory200JSONResponse(directoryFrom(d)), nil
}

func (s *server) SetFollowerDirectory(ctx context.Context, req SetFollowerDirectoryRequestObject) (SetFollowerDirectoryResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	d, err := s.Followers.SetDirectory(ctx, principalOf(ctx), tenantID, req.Appid, follower.Settings{
		Enabled: req.Body.Enabled, UnionIDs: req.Body.Unionids,
	})
	if err != nil {
		return nil, err
	}
	return SetFollowerDirectory200JSONResponse(directoryFrom(d)), nil
}

func (s *server) SyncFollowers(ctx context.Context, req SyncFollowersRequestObject) (SyncFollowersResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	d, err := s.Followers.StartSync(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return SyncFollowers202JSONResponse(directoryFrom(d)), nil
}

func (s *server) ListFollowers(ctx context.Context, req ListFollowersRequestObject) (ListFollowersResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Followers.List(ctx, principalOf(ctx), tenantID, req.Appid, follower.ListParams{
		Query: orZero(req.Params.Q), Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListFollowers200JSONResponse{
		Data: mapSlice(page.Followers, followerFrom), NextCursor: nextCursor(page.Next), SyncedAt: stampOrNil(page.SyncedAt),
	}, nil
}

func (s *server) FindFollower(ctx context.Context, req FindFollowerRequestObject) (FindFollowerResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	found, err := s.Followers.Find(ctx, principalOf(ctx), tenantID, follower.Whom{
		OpenID: orZero(req.Params.Openid), UnionID: orZero(req.Params.Unionid),
	})
	if err != nil {
		return nil, err
	}
	return FindFollower200JSONResponse{Data: mapSlice(found, followerFrom)}, nil
}

func directoryFrom(d follower.Directory) FollowerDirectory {
	directory := FollowerDirectory{
		AuthorizerAppid: d.AuthorizerAppID, Enabled: d.Enabled, Unionids: d.UnionIDs, Erasing: d.Erasing, Events: d.Events,
		Followers: d.Followers, SyncedAt: stampOrNil(d.SyncedAt), NextSyncAt: stampOrNil(d.NextSyncAt), ChangedAt: stampOrNil(d.ChangedAt), ChangedBy: d.ChangedBy,
	}
	if d.Sync != nil {
		directory.Sync = new(syncFrom(*d.Sync))
	}
	return directory
}

func syncFrom(s follower.Sync) FollowerSync {
	return FollowerSync{
		Status: FollowerSyncStatus(s.Status), RequestedBy: s.Actor, Total: s.Total, Read: s.Read, Added: s.Added, Removed: s.Removed,
		PausedUntil: stampOrNil(s.PausedUntil), Errcode: s.ErrCode, Rid: s.RID, Error: s.Error, Advice: s.Advice,
		AskedAt: stamp(s.AskedAt), StartedAt: stampOrNil(s.StartedAt), EndedAt: stampOrNil(s.EndedAt),
	}
}

func followerFrom(f follower.Follower) Follower {
	return Follower{
		Openid: f.OpenID, Unionid: f.UnionID, AuthorizerAppid: f.AuthorizerAppID, Following: f.Following, ChangedAt: stamp(f.ChangedAt),
	}
}
