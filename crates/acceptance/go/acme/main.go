// Command acme does what nobody can make an ACME server do from outside: it closes an account, or limits orders.
//
//	acme deactivate DIRECTORY KEY
//	acme proxy ADDRESS SERVER CERTIFICATE KEY [SECONDS]
//
// The second passes requests on to the server; with a number of seconds, it answers new orders with rateLimited.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
)

func main() {
	log.SetFlags(0)
	switch words := os.Args[1:]; {
	case len(words) == 3 && words[0] == "deactivate":
		deactivate(words[1], readKey(words[2]))
	case len(words) >= 5 && words[0] == "proxy":
		proxy(words[1], words[2], words[3], words[4], words[5:])
	default:
		log.Fatal("usage: acme deactivate DIRECTORY KEY | acme proxy ADDRESS SERVER CERTIFICATE KEY [SECONDS]")
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// readKey reads a key for ECDSA, in the older form of PEM or the newer.
func readKey(path string) *ecdsa.PrivateKey {
	text, err := os.ReadFile(path)
	check(err)
	block, _ := pem.Decode(text)
	if block == nil {
		log.Fatalf("%s is no PEM", path)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	return key.(*ecdsa.PrivateKey)
}

// deactivate closes the account of a key, RFC 8555, section 7.3.6.
func deactivate(directory string, key *ecdsa.PrivateKey) {
	answer, err := http.Get(directory)
	check(err)
	var urls struct{ NewNonce, NewAccount string }
	check(json.NewDecoder(answer.Body).Decode(&urls))
	answer, err = http.Head(urls.NewNonce)
	check(err)
	x, y := make([]byte, 32), make([]byte, 32)
	jwk := map[string]string{
		"kty": "EC", "crv": "P-256", "x": encode(key.X.FillBytes(x)), "y": encode(key.Y.FillBytes(y)),
	}
	account := post(answer, key, urls.NewAccount, "jwk", jwk, map[string]any{"onlyReturnExisting": true})
	location := account.Header.Get("Location")
	closed := post(account, key, location, "kid", location, map[string]any{"status": "deactivated"})
	fmt.Println(closed.Status)
}

// post signs a request with the nonce of the answer before it.
func post(before *http.Response, key *ecdsa.PrivateKey, url, name string, who, payload any) *http.Response {
	head := map[string]any{"alg": "ES256", "nonce": before.Header.Get("Replay-Nonce"), "url": url, name: who}
	protected, body := encodeJSON(head), encodeJSON(payload)
	digest := sha256.Sum256([]byte(protected + "." + body))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	check(err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	message, err := json.Marshal(map[string]string{
		"protected": protected, "payload": body, "signature": encode(signature),
	})
	check(err)
	answer, err := http.Post(url, "application/jose+json", bytes.NewReader(message))
	check(err)
	if answer.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(answer.Body)
		if strings.Contains(string(reason), "badNonce") {
			return post(answer, key, url, name, who, payload)
		}
		log.Fatalf("%s: %s: %s", url, answer.Status, reason)
	}
	return answer
}

func encodeJSON(value any) string {
	text, err := json.Marshal(value)
	check(err)
	return encode(text)
}

func encode(value []byte) string { return base64.RawURLEncoding.EncodeToString(value) }

// proxy passes requests on, and says of each what it was.
func proxy(address, server, certificate, key string, seconds []string) {
	target, err := url.Parse(server)
	check(err)
	pass := &httputil.ReverseProxy{
		// The server makes its URLs of the host that is asked for, which stays.
		Rewrite: func(request *httputil.ProxyRequest) {
			request.Out.URL.Scheme, request.Out.URL.Host = target.Scheme, target.Host
		},
		// Let's Encrypt says where the order is when it is finalized, autocert relies on it, and Pebble does not.
		ModifyResponse: func(answer *http.Response) error {
			if order, found := strings.CutPrefix(answer.Request.URL.Path, "/finalize-order/"); found {
				answer.Header.Set("Location", "https://"+address+"/my-order/"+order)
			}
			return nil
		},
	}
	handler := func(answer http.ResponseWriter, request *http.Request) {
		fmt.Println(request.Method, request.URL.Path)
		if len(seconds) == 0 || request.URL.Path != "/order-plz" {
			pass.ServeHTTP(answer, request)
			return
		}
		answer.Header().Set("Content-Type", "application/problem+json")
		answer.Header().Set("Retry-After", seconds[0])
		answer.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(answer, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many orders","status":429}`)
	}
	check(http.ListenAndServeTLS(address, certificate, key, http.HandlerFunc(handler)))
}
