// Gets tokens from a Jeton with golang.org/x/oauth2 and prints what happened as one JSON object.
//
// The job comes as JSON on standard input: token_url, resource_url, client, user, scope.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type job struct {
	TokenURL    string `json:"token_url"`
	ResourceURL string `json:"resource_url"`
	ClientID    string `json:"client_id"`
	Secret      string `json:"client_secret"`
	UserName    string `json:"username"`
	Password    string `json:"password"`
	Scopes      []string
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func status(client *http.Client, url string) int {
	answer, err := client.Get(url)
	if err != nil {
		fail(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func main() {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		fail(err)
	}
	ctx := context.Background()
	seen := map[string]any{}
	for name, style := range map[string]oauth2.AuthStyle{
		"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams,
		"detected": oauth2.AuthStyleAutoDetect,
	} {
		machine := clientcredentials.Config{ClientID: j.ClientID, ClientSecret: j.Secret,
			TokenURL: j.TokenURL, Scopes: j.Scopes, AuthStyle: style}
		token, err := machine.Token(ctx)
		if err != nil {
			fail(err)
		}
		seen[name] = map[string]any{"valid": token.Valid(), "type": token.TokenType,
			"scope": token.Extra("scope"), "status": status(machine.Client(ctx), j.ResourceURL)}
	}

	config := oauth2.Config{ClientID: j.ClientID, ClientSecret: j.Secret, Scopes: j.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: j.TokenURL}}
	token, err := config.PasswordCredentialsToken(ctx, j.UserName, j.Password)
	if err != nil {
		fail(err)
	}
	old := *token
	token.Expiry = time.Now().Add(-time.Hour)
	next, err := config.TokenSource(ctx, token).Token()
	if err != nil {
		fail(err)
	}
	seen["password"] = map[string]any{"valid": old.Valid(),
		"rotated": next.RefreshToken != old.RefreshToken && next.AccessToken != old.AccessToken,
		"status":  status(config.Client(ctx, next), j.ResourceURL)}

	_, err = config.PasswordCredentialsToken(ctx, j.UserName, "not the password")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		fail(fmt.Errorf("a wrong password gave %v", err))
	}
	seen["refused"] = map[string]any{"code": refused.ErrorCode,
		"status": refused.Response.StatusCode}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		fail(err)
	}
}
