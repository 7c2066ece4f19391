module jeton.example/clients

go 1.19

require golang.org/x/oauth2 v0.24.0

require (
	github.com/coreos/go-oidc/v3 v3.9.0
	github.com/go-jose/go-jose/v3 v3.0.1 // indirect
	golang.org/x/crypto v0.14.0 // indirect
)
