// Signs somebody in at a Jeton with golang.org/x/oauth2 and coreos/go-oidc, and prints what
// happened as one JSON object.
//
// The job comes as one line of JSON on standard input: issuer, client_id, client_secret,
// redirect_uri, scopes. The address for the browser goes to standard output, and the next line of
// standard input is the one that the browser was sent back to.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type job struct {
	Issuer      string `json:"issuer"`
	ClientID    string `json:"client_id"`
	Secret      string `json:"client_secret"`
	RedirectURI string `json:"redirect_uri"`
	Scopes      []string
}

type identity struct {
	Name  string `json:"preferred_username"`
	Email string `json:"email"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func random() string {
	bytes := make([]byte, 16)
	_, err := rand.Read(bytes)
	check(err)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

// verify reads the ID token beside an access token; go-oidc leaves nonce and at_hash to its caller.
func verify(ctx context.Context, verifier *oidc.IDTokenVerifier, token *oauth2.Token,
	nonce string) *oidc.IDToken {
	raw, _ := token.Extra("id_token").(string)
	claims, err := verifier.Verify(ctx, raw)
	check(err)
	check(claims.VerifyAccessToken(token.AccessToken))
	if claims.Nonce != nonce {
		check(fmt.Errorf("nonce %q for %q", claims.Nonce, nonce))
	}
	return claims
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	readLine := func() string {
		line, err := lines.ReadString('\n')
		check(err)
		return line[:len(line)-1]
	}
	var j job
	check(json.Unmarshal([]byte(readLine()), &j))
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	provider, err := oidc.NewProvider(ctx, j.Issuer)
	check(err)
	config := oauth2.Config{ClientID: j.ClientID, ClientSecret: j.Secret, Scopes: j.Scopes,
		RedirectURL: j.RedirectURI, Endpoint: provider.Endpoint()}
	verifier := provider.Verifier(&oidc.Config{ClientID: j.ClientID})

	state, nonce, secret := random(), random(), oauth2.GenerateVerifier()
	fmt.Println(config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(secret)))
	answer, err := url.Parse(readLine())
	check(err)
	if answer.Query().Get("state") != state {
		check(fmt.Errorf("another state in %s", answer))
	}
	_, refusal := config.Exchange(ctx, "not-"+answer.Query().Get("code"),
		oauth2.VerifierOption(secret))
	token, err := config.Exchange(ctx, answer.Query().Get("code"), oauth2.VerifierOption(secret))
	check(err)
	claims := verify(ctx, verifier, token, nonce)
	var told identity
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	check(err)
	check(info.Claims(&told))

	old := *token
	old.Expiry = time.Now().Add(-time.Hour)
	next, err := config.TokenSource(ctx, &old).Token()
	check(err)
	renewed := verify(ctx, verifier, next, "")
	_, foreign := provider.Verifier(&oidc.Config{ClientID: "another"}).Verify(ctx,
		token.Extra("id_token").(string))
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"valid": token.Valid(), "type": token.TokenType, "scope": token.Extra("scope"),
		"issuer": claims.Issuer, "subject": claims.Subject, "info": told,
		"same_subject": info.Subject == claims.Subject && renewed.Subject == claims.Subject,
		"rotated":      next.RefreshToken != token.RefreshToken,
		"renewed":      next.Valid() && next.AccessToken != token.AccessToken,
		"refused":      refusal.(*oauth2.RetrieveError).ErrorCode,
		"foreign":      foreign != nil,
	}))
}
