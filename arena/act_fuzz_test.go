package arena

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// FuzzJudge lets an agent do anything. It is either an act that the log holds as it is, or none.
func FuzzJudge(f *testing.F) {
	f.Add("fish", []byte(`{"tons":10}`))
	f.Add("\xff\x00\x1b[31m", []byte(`{"a":"\u0000\ud800","b":1e999999,"c":123456789012345678901234567890.5e-400}`))
	f.Add("deep", []byte(strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)))
	f.Add("deep", []byte(strings.Repeat(`{"a":`, world.MaxDepth)+"1"+strings.Repeat("}", world.MaxDepth)))
	f.Add("twice", []byte(`{"a":1,"a":2}`))
	f.Add("", []byte("\x00"))
	f.Fuzz(func(t *testing.T, name string, args []byte) {
		a := judge(world.Action{Name: name, Args: args}, nil)
		if a.kind != KindAction {
			if a.kind != KindInvalid || a.proc.Reason == "" || !utf8.ValidString(a.proc.Reason) && utf8.Valid(args) {
				t.Errorf("%q %q is %+v", name, args, a)
			}
			return
		}
		ev := world.Event{Kind: KindAction, Agent: "a", Data: appendAction(nil, a.action)}
		stamped, err := world.State{}.Stamp([]world.Event{ev})
		if err != nil {
			t.Fatalf("%q %q cannot be logged: %v", name, args, err)
		}
		back, err := actOf(stamped[0], 0)
		if err != nil || back.action.Name != a.action.Name || !bytes.Equal(back.action.Args, a.action.Args) {
			t.Errorf("%q %q is %+v, and %+v in the log: %v", name, args, a.action, back.action, err)
		}
	})
}
