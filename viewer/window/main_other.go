//go:build !js && !ebiten_desktop

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "this program needs a graphics card: build it with -tags ebiten_desktop, or with GOOS=js GOARCH=wasm for browsers")
	os.Exit(2)
}
