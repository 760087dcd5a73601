package gateway

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
)

// Whoever reads what is no JSON hangs up.
func TestWhatIsNoJSONIsToldBeforeItIsReadAndOnce(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	var told []string
	c := &checked{
		ReadCloser: io.NopCloser(strings.NewReader("data: {\"type\":content_block\n\ndata: also none\n\n")), ctx: ctx, stream: true,
		trouble: func(what string) { told = append(told, what) },
	}
	if _, err := c.Read(make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if _, err := io.ReadAll(c); err != nil || !slices.Equal(told, []string{noJSON}) {
		t.Errorf("told is %q, %v", told, err)
	}
}
