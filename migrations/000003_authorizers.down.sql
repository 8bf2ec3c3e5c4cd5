DROP TABLE authorization_codes, connect_link_codes, connect_links, authorizer_tokens, authorizers;
