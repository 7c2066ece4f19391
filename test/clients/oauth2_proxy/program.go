//go:build program

// Package program names the program that go.mod and go.sum pin.
package program

import _ "github.com/oauth2-proxy/oauth2-proxy/v7"
