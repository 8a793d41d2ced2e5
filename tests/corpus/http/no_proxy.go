// Asks Go's http.ProxyFromEnvironment, which reads the environment once, so each row of no_proxy.json is a process of
// its own; writes the verdicts back: go build -o /tmp/no_proxy no_proxy.go && /tmp/no_proxy
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
)

type row struct {
	NoProxy string          `json:"no_proxy"`
	Proxied map[string]bool `json:"proxied"`
}

func one(url string) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		panic(err)
	}
	proxy, err := http.ProxyFromEnvironment(request)
	fmt.Print(proxy != nil && err == nil)
}

func main() {
	if len(os.Args) > 1 {
		one(os.Args[1])
		return
	}
	text, err := os.ReadFile("no_proxy.json")
	if err != nil {
		panic(err)
	}
	var rows []*row
	if err := json.Unmarshal(text, &rows); err != nil {
		panic(err)
	}
	var out bytes.Buffer
	for index, row := range rows {
		for url := range row.Proxied {
			command := exec.Command(os.Args[0], url)
			command.Env = []string{"HTTP_PROXY=http://proxy.invalid:3128", "HTTPS_PROXY=proxy.invalid:3129", "NO_PROXY=" + row.NoProxy}
			said, err := command.Output()
			if err != nil {
				panic(err)
			}
			row.Proxied[url] = string(said) == "true"
		}
		line, _ := json.Marshal(row)
		out.WriteString(map[bool]string{true: "[\n", false: ",\n"}[index == 0])
		out.Write(line)
	}
	out.WriteString("\n]\n")
	if err := os.WriteFile("no_proxy.json", out.Bytes(), 0o644); err != nil {
		panic(err)
	}
}
