// The same HTTP probe in Go: new connections, every phase stamped, launched in ticks of 25 ms.
// Prints the probes done, those that failed and the CPU they took in microseconds.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const tick = 25 * time.Millisecond

type phases struct{ start, connected, written, firstByte, body time.Time }

func probe(transport *http.Transport, url string) error {
	var seen phases
	trace := &httptrace.ClientTrace{
		ConnectDone:          func(string, string, error) { seen.connected = time.Now() },
		WroteRequest:         func(httptrace.WroteRequestInfo) { seen.written = time.Now() },
		GotFirstResponseByte: func() { seen.firstByte = time.Now() },
	}
	seen.start = time.Now()
	deadline, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(deadline, trace), "GET", url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	seen.body = time.Now()
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

func cpu() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano()/1000 + usage.Stime.Nano()/1000
}

func main() {
	url := os.Args[1]
	perTick, _ := strconv.Atoi(os.Args[2])
	ticks, _ := strconv.Atoi(os.Args[3])
	transport := &http.Transport{DisableKeepAlives: true}
	if err := probe(transport, url); err != nil {
		panic(err)
	}
	var failed atomic.Int64
	var running sync.WaitGroup
	before := cpu()
	ticker := time.NewTicker(tick)
	for range ticks {
		<-ticker.C
		for range perTick {
			running.Add(1)
			go func() {
				defer running.Done()
				if probe(transport, url) != nil {
					failed.Add(1)
				}
			}()
		}
	}
	running.Wait()
	fmt.Println(perTick*ticks, failed.Load(), cpu()-before)
}
