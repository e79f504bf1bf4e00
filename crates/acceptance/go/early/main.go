// Command early sends requests with long bodies, which a server refuses before it has read them, with the client that
// most tools of containers are built on, and reports as JSON what that client saw.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// patience is how long one request may take.
const patience = time.Minute

var (
	protocol = flag.String("protocol", "http1", "http1, http1-asking (it waits for 100 Continue) or http2")
	method   = flag.String("method", "PUT", "the method")
	target   = flag.String("url", "", "where the requests go")
	size     = flag.Int64("size", 64<<20, "how many bytes the body of each has")
	chunked  = flag.Bool("chunked", false, "do not announce how many")
	tries    = flag.Int("tries", 50, "how many requests")
	clients  = flag.Int("clients", 4, "how many clients send them, each with connections of its own")
	headers  = lines{}
)

// lines are headers, each as "Name: value".
type lines []string

func (l *lines) String() string { return strings.Join(*l, ", ") }

func (l *lines) Set(line string) error {
	if !strings.Contains(line, ": ") {
		return errors.New("expected `Name: value`")
	}
	*l = append(*l, line)
	return nil
}

// report counts what was seen.
type report struct {
	mutex sync.Mutex
	// Answers has statuses with their bodies.
	Answers map[string]int `json:"answers"`
	// Failures has what the client returned instead of an answer.
	Failures map[string]int `json:"failures"`
}

func (r *report) add(answer string, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err != nil {
		r.Failures[err.Error()]++
	} else {
		r.Answers[answer]++
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(piece []byte) (int, error) {
	clear(piece)
	return len(piece), nil
}

func newClient() (*http.Client, error) {
	var protocols http.Protocols
	switch *protocol {
	case "http1", "http1-asking":
		protocols.SetHTTP1(true)
	case "http2":
		protocols.SetUnencryptedHTTP2(true)
	default:
		return nil, fmt.Errorf("no protocol %q", *protocol)
	}
	transport := &http.Transport{Protocols: &protocols, ExpectContinueTimeout: patience}
	return &http.Client{Transport: transport}, nil
}

func try(client *http.Client) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, *method, *target, io.LimitReader(zeros{}, *size))
	if err != nil {
		return "", err
	}
	request.ContentLength = *size
	if *chunked {
		request.ContentLength = -1
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	if *protocol == "http1-asking" {
		request.Header.Set("Expect", "100-continue")
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read the body of %s: %w", response.Status, err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body), nil
}

func run() error {
	flag.Var(&headers, "header", "a header of each request; may be given several times")
	flag.Parse()
	seen := &report{Answers: map[string]int{}, Failures: map[string]int{}}
	work := make(chan struct{}, *tries)
	for range *tries {
		work <- struct{}{}
	}
	close(work)
	var group sync.WaitGroup
	for range *clients {
		client, err := newClient()
		if err != nil {
			return err
		}
		group.Add(1)
		go func() {
			defer group.Done()
			for range work {
				seen.add(try(client))
			}
		}()
	}
	group.Wait()
	return json.NewEncoder(os.Stdout).Encode(seen)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "early:", err)
		os.Exit(1)
	}
}
