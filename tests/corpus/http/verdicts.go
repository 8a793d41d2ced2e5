// Asks Go's HTTP client to judge each answer of odd_answers.json and writes its verdicts back: go run verdicts.go
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

type row struct {
	What   string `json:"what"`
	Method string `json:"method,omitempty"`
	Answer []any  `json:"answer"`
	Status int    `json:"status"`
	Body   int    `json:"body"`
	Error  string `json:"error,omitempty"`
}

// Each rune of a piece is one byte; [piece, count] repeats it.
func answer(pieces []any) []byte {
	var out bytes.Buffer
	for _, piece := range pieces {
		text, count := "", 1
		if pair, ok := piece.([]any); ok {
			text, count = pair[0].(string), int(pair[1].(float64))
		} else {
			text = piece.(string)
		}
		for range count {
			for _, r := range text {
				out.WriteByte(byte(r))
			}
		}
	}
	return out.Bytes()
}

func serve(listener net.Listener, data []byte) {
	connection, err := listener.Accept()
	if err != nil {
		return
	}
	connection.Read(make([]byte, 65536))
	connection.Write(data)
	connection.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, connection)
	connection.Close()
}

func judge(row *row) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	go serve(listener, answer(row.Answer))
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	method := row.Method
	if method == "" {
		method = "GET"
	}
	request, _ := http.NewRequest(method, "http://"+listener.Addr().String()+"/", nil)
	row.Status, row.Body, row.Error = 0, 0, ""
	response, err := client.Do(request)
	if err == nil {
		var body []byte
		row.Status = response.StatusCode
		if response.StatusCode != http.StatusSwitchingProtocols {
			body, err = io.ReadAll(response.Body)
		}
		response.Body.Close()
		row.Body = len(body)
	}
	if err != nil {
		row.Status, row.Body, row.Error = 0, 0, strings.ReplaceAll(err.Error(), listener.Addr().String(), "HOST")
	}
}

func main() {
	text, err := os.ReadFile("odd_answers.json")
	if err != nil {
		panic(err)
	}
	var rows []*row
	if err := json.Unmarshal(text, &rows); err != nil {
		panic(err)
	}
	var out bytes.Buffer
	for index, row := range rows {
		judge(row)
		line, _ := json.Marshal(row)
		out.WriteString(map[bool]string{true: "[\n", false: ",\n"}[index == 0])
		out.Write(line)
	}
	out.WriteString("\n]\n")
	if err := os.WriteFile("odd_answers.json", out.Bytes(), 0o644); err != nil {
		panic(err)
	}
}
