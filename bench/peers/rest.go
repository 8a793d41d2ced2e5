// An agent at rest in Go, beside which ours is measured: the same probes ("same"), or kubenurse's load pattern
// ("kubenurse": six HTTP checks each five seconds over kept connections). Answers its like on one port, UDP and TCP.
// Prints one line with the probes made and those that failed every time it gets SIGUSR1.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var made, failed atomic.Int64

func every(period time.Duration, probe func() error) {
	go func() {
		time.Sleep(time.Duration(time.Now().UnixNano() % int64(period)))
		for range time.Tick(period) {
			made.Add(1)
			if probe() != nil {
				failed.Add(1)
			}
		}
	}()
}

func respond(port string) {
	listener, err := net.ListenPacket("udp4", ":"+port)
	if err != nil {
		panic(err)
	}
	go func() {
		room := make([]byte, 2048)
		for {
			size, peer, err := listener.ReadFrom(room)
			if err == nil {
				listener.WriteTo(room[:min(size, 64)], peer)
			}
		}
	}()
	go http.ListenAndServe(":"+port, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		io.WriteString(out, "ok\n")
	}))
}

// train sends count datagrams back to back from a pool of eight ports and waits for all answers.
func train(pool []net.PacketConn, peer string, count, size int) error {
	to, err := net.ResolveUDPAddr("udp4", peer)
	if err != nil {
		return err
	}
	sent := make([]time.Time, count)
	frame := make([]byte, size)
	for number := range count {
		binary.BigEndian.PutUint32(frame, uint32(number))
		sent[number] = time.Now()
		if _, err := pool[number%len(pool)].WriteTo(frame, to); err != nil {
			return err
		}
	}
	room := make([]byte, 2048)
	deadline := time.Now().Add(time.Second)
	for number := range count {
		port := pool[number%len(pool)]
		port.SetReadDeadline(deadline)
		if _, _, err := port.ReadFrom(room); err != nil {
			return err
		}
		_ = time.Since(sent[number])
	}
	return nil
}

func pool() []net.PacketConn {
	ports := make([]net.PacketConn, 8)
	for number := range ports {
		port, err := net.ListenPacket("udp4", ":0")
		if err != nil {
			panic(err)
		}
		ports[number] = port
	}
	return ports
}

func connect(peer string) error {
	wire, err := net.DialTimeout("tcp4", peer, 2*time.Second)
	if err != nil {
		return err
	}
	return wire.Close()
}

func checksum(data []byte) uint16 {
	var sum uint32
	for at := 0; at+1 < len(data); at += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[at:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func echo(socket *net.IPConn, number uint16) error {
	request := make([]byte, 64)
	request[0] = 8
	binary.BigEndian.PutUint16(request[4:], uint16(os.Getpid()))
	binary.BigEndian.PutUint16(request[6:], number)
	binary.BigEndian.PutUint16(request[2:], checksum(request))
	if _, err := socket.Write(request); err != nil {
		return err
	}
	socket.SetReadDeadline(time.Now().Add(time.Second))
	reply := make([]byte, 1500)
	for {
		size, _, err := socket.ReadFrom(reply)
		if err != nil {
			return err
		}
		if size >= 8 && reply[0] == 0 && binary.BigEndian.Uint16(reply[6:]) == number {
			return nil
		}
	}
}

func ask(network, server string) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(within context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(within, network, server)
	}}
	within, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := resolver.LookupNetIP(within, "ip4", "kubernetes.default.svc.cluster.local.")
	return err
}

func get(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func main() {
	mode := flag.String("mode", "same", "same or kubenurse")
	port := flag.String("port", "", "port to answer at")
	peers := flag.String("peers", "", "addresses of its like")
	servers := flag.String("dns", "", "DNS servers")
	api := flag.String("api", "", "URL of the API server")
	entrance := flag.String("ingress", "", "URL of the ingress")
	authority := flag.String("ca", "", "file of the API server's CA")
	flag.Parse()
	pem, err := os.ReadFile(*authority)
	if err != nil {
		panic(err)
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(pem)
	fresh := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, DisableKeepAlives: *mode == "same"}
	client := &http.Client{Transport: fresh, Timeout: 3 * time.Second}
	respond(*port)
	others := strings.Split(*peers, ",")
	if *mode == "kubenurse" {
		every(5*time.Second, func() error {
			urls := []string{*api, *api, *entrance, "http://127.0.0.1:" + *port + "/"}
			for _, other := range others {
				urls = append(urls, "http://"+other+":"+*port+"/")
			}
			for _, url := range urls {
				if err := get(client, url); err != nil {
					return err
				}
			}
			return nil
		})
	} else {
		same(others, *port, strings.Split(*servers, ","), *api, *entrance, client)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for range asked {
		fmt.Println(made.Load(), failed.Load())
	}
}

// same makes the probes of our agent at its default periods, and as many messages as its membership exchanges.
func same(others []string, port string, servers []string, api, entrance string, client *http.Client) {
	for _, other := range append([]string{"127.0.0.1"}, others...) {
		ports, peer := pool(), other+":"+port
		every(2500*time.Millisecond, func() error { return train(ports, peer, 8, 64) })
	}
	for number, other := range others {
		peer, big, messages := other+":"+port, pool(), pool()
		every(60*time.Second, func() error { return train(big, peer, 10, 1400) })
		every(10*time.Second, func() error { return connect(peer) })
		every(10*time.Second, func() error { return get(client, "http://"+peer+"/") })
		if number < 3 {
			every(time.Duration(min(3, len(others)))*time.Second, func() error { return train(messages, peer, 1, 100) })
		}
		socket, err := net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: net.ParseIP(other)})
		if err != nil {
			panic(err)
		}
		next := uint16(number << 12)
		every(5*time.Second, func() error { next++; return echo(socket, next) })
	}
	for _, server := range servers {
		every(10*time.Second, func() error { return ask("udp", server+":53") })
		every(10*time.Second, func() error { return ask("tcp", server+":53") })
	}
	every(10*time.Second, func() error { return get(client, api) })
	every(10*time.Second, func() error { return get(client, entrance) })
}
