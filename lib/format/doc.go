// Package format writes flow records as text: nfdump's output formats, CSV and JSON.
package format
