package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// leftOut stands where a text was that a file does not tell, and redacted says in the file what that is.
const (
	leftOut  = "(left out)"
	redacted = "This file leaves out the conversations of agents with their models: what they were asked, said and thought, and what their tools answered. " +
		"It also leaves out the text of messages to some and not to all, those of an operator too, and what processes printed. It has what agents saw and did, and what was said to all."
)

// longSecret is how long a text is, in bytes, that is looked for in all others. A shorter one may be in them by chance.
const longSecret = 12

// A redaction takes out of answers and pictures the texts that are not meant for everybody.
type redaction struct {
	whole map[string]bool   // of messages
	parts *strings.Replacer // likewise, where they are within other texts
}

// newRedaction reads from the log in dir which texts those are: of messages to some, sent or refused, and what processes had printed when they died or reached out for others' files.
func newRedaction(dir string) (*redaction, error) {
	r := &redaction{whole: make(map[string]bool)}
	var parts []string
	for commit, err := range world.Skim(dir, 0) {
		if errors.Is(err, fs.ErrNotExist) {
			break // it has not begun
		}
		if err != nil {
			return nil, err
		}
		for i := range commit {
			ev, err := commit[i].Event()
			if err != nil {
				return nil, err
			}
			for _, secret := range secrets(ev) {
				if secret = clean(secret); strings.TrimSpace(secret) == "" || r.whole[secret] {
					continue
				}
				r.whole[secret] = true
				escaped, _ := json.Marshal(secret) // as json.Marshal writes it, and as logs do
				for _, quoted := range []string{string(escaped), string(world.JSON(secret))} {
					parts = append(parts, quoted, `"`+leftOut+`"`)
					if len(secret) >= longSecret {
						parts = append(parts, strings.Trim(quoted, `"`), leftOut)
					}
				}
				if len(secret) >= longSecret {
					parts = append(parts, secret, leftOut)
				}
			}
		}
	}
	r.parts = strings.NewReplacer(parts...)
	return r, nil
}

// secrets returns the texts of an event that are not meant for everybody.
func secrets(ev world.Event) (texts []string) {
	type message struct {
		To   json.RawMessage
		Text string
	}
	var data struct {
		message
		Args   message
		Sample string
	}
	var proc struct{ Detail string }
	_, _ = json.Unmarshal(ev.Data, &data), json.Unmarshal(ev.Proc, &proc) // what has other fields has no such texts
	for _, m := range []message{data.message, data.Args} {
		if to := string(m.To); to != "" && to != "null" && to != "[]" && to != `""` {
			texts = append(texts, m.Text)
		}
	}
	return append(texts, data.Sample, proc.Detail)
}

// text returns a text without those that are left out. That it is a message, or a message in words, has to be known for it to be taken out if it is short.
func (r *redaction) text(text string, message bool) string {
	i := strings.LastIndex(text, ": ")
	switch {
	case message && r.whole[text]:
		return leftOut
	case message && i >= 0 && r.whole[text[i+2:]]:
		return text[:i+2] + leftOut
	}
	return r.parts.Replace(text)
}

// json returns an answer without the texts that are left out.
func (r *redaction) json(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(r.value(v, ""))
}

// value is text for all that is in a value, which is that of a field.
func (r *redaction) value(v any, field string) any {
	switch v := v.(type) {
	case string:
		return r.text(v, field == "text" || field == "says")
	case []any:
		for i := range v {
			v[i] = r.value(v[i], field)
		}
	case map[string]any:
		for name, value := range v {
			v[name] = r.value(value, name)
		}
	}
	return v
}

// frame returns a picture without the texts that are left out.
func (r *redaction) frame(raw []byte) ([]byte, error) {
	list, err := draw.Decode(raw)
	if err != nil {
		return nil, err
	}
	for i := range list.Says {
		list.Says[i].Text = r.text(list.Says[i].Text, true)
	}
	for i := range list.Shapes {
		list.Shapes[i].Label = r.text(list.Shapes[i].Label, false)
	}
	return list.Encode(nil), nil
}
