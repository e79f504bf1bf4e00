// Command shown asks for a URL by TLS and shows a certificate whatever the server asks for, as a client of Go can.
//
//	shown URL CA VERSION [CERTIFICATE KEY]
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 && len(os.Args) != 6 {
		log.Fatal("usage: shown URL CA 1.2|1.3 [CERTIFICATE KEY]")
	}
	text, err := os.ReadFile(os.Args[2])
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[os.Args[3]]
	config := &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version}
	if len(os.Args) == 6 {
		pair, err := tls.LoadX509KeyPair(os.Args[4], os.Args[5])
		check(err)
		// Otherwise it would show nothing to a server that names other CAs.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	answer, err := client.Get(os.Args[1])
	check(err)
	fmt.Println(answer.Proto, answer.Status)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
