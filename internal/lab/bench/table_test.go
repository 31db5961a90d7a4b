//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func sample() comparison {
	run := func(ratio float64, seconds ...float64) result {
		return result{Seconds: seconds, Ratio: ratio, CPU: 3.456, PeakRSS: 100 << 20, OriginCopies: 1.5, Busy: 0.25}
	}
	return comparison{
		Scenario: "lan3", Nodes: 3, Size: 64 << 20, Contents: 1, Bound: 28.07,
		Tools: []toolResult{
			{Tool: "http", Runs: []result{run(16, 440, 445, 450)}},
			{Tool: "broken", Runs: []result{{Failure: "it broke"}}},
			{Tool: "shoal", Runs: []result{run(1.1, 28.5, 29, 30.9), {Failure: "once"}, run(1.05, 28.1, 28.9, 29.5), run(1.2, 29, 30, 33.7)}},
		},
	}
}

func TestTable(t *testing.T) {
	const want = `### lan3: 64 MiB to 3 nodes, bound 28.07 s

| tool   | first s             | median s            | last s              | × bound             | origin copies    | CPU s/GiB        | peak RSS MiB  | machine busy % | runs        |
|--------|---------------------|---------------------|---------------------|---------------------|------------------|------------------|---------------|----------------|-------------|
| shoal  | 28.50 (28.10–29.00) | 29.00 (28.90–30.00) | 30.90 (29.50–33.70) | 1.100 (1.050–1.200) | 1.50 (1.50–1.50) | 3.46 (3.46–3.46) | 100 (100–100) | 25 (25–25)     | 3, 1 failed |
| http   | 440.00              | 445.00              | 450.00              | 16.000              | 1.50             | 3.46             | 100           | 25             | 1           |
| broken | –                   | –                   | –                   | –                   | –                | –                | –             | –              | 0, 1 failed |
`
	var got strings.Builder
	if err := writeTable(&got, sample()); err != nil || got.String() != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestFailures(t *testing.T) {
	if n := (report{Scenarios: []comparison{sample(), sample()}}).failures(); n != 4 {
		t.Errorf("%d failed runs, want 4", n)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}

// A picture is XML, with a curve for each tool that has a run, the median one,
// and the bound where it belongs.
func TestSVG(t *testing.T) {
	var text strings.Builder
	if err := writeSVG(&text, sample()); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(text.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text.String())
		}
	}
	// The time goes to 4 bounds, rounded up to 120 s: 514 pixels.
	for what, want := range map[string]string{
		"the bound":                `<path d="M176.2 316.0V40.0" stroke="#222" stroke-dasharray="5 4"/>`,
		"the median run":           `<path d="M56.0 316.0H178.1V224.0H180.2V132.0H188.4V40.0" fill="none" stroke="#0072b2"`,
		"its time":                 `>shoal, 30.9 s</text>`,
		"a curve that goes beyond": `<path d="M56.0 316.0H570.0" fill="none" stroke="#e69f00"`,
		"the last mark":            `text-anchor="middle">120</text>`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is missing: %s in\n%s", what, want, text.String())
		}
	}
	if strings.Contains(text.String(), "broken") {
		t.Error("a tool without a run is in the picture")
	}
}

// With nothing to show, there is still a picture.
func TestSVGEmpty(t *testing.T) {
	var text strings.Builder
	if err := writeSVG(&text, comparison{Scenario: "solo"}); err != nil || strings.Contains(text.String(), "NaN") {
		t.Errorf("error %v, got\n%s", err, text.String())
	}
}

func TestTickStep(t *testing.T) {
	for _, c := range []struct{ end, want float64 }{{0, 1}, {0.3, 0.05}, {4, 1}, {7.9, 1}, {8, 2}, {19, 2}, {20, 5}, {450, 100}} {
		if got := tickStep(c.end); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("step for %g s is %g, want %g", c.end, got, c.want)
		}
	}
}
