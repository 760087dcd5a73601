package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// notJSON puts it into words why raw, which is UTF-8, is not JSON, with the line and the column, for people who do not read Go.
func notJSON(raw []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && syntax.Offset > 0:
		return placed(raw, int(syntax.Offset)-1)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		line, column := position(raw, len(raw))
		return fmt.Errorf("it is not JSON: line %d, column %d: it ends before it is complete", line, column)
	case errors.Is(err, strconv.ErrRange):
		return errors.New("it is not JSON: a number in it is too great")
	}
	return fmt.Errorf("it is not JSON: %w", err)
}

// placed says what is wrong with the byte of raw at which JSON ends to be any.
func placed(raw []byte, at int) error {
	isText := false // whether it is between quotes
	for i := 0; i < at; i++ {
		switch {
		case raw[i] == '"':
			isText = !isText
		case raw[i] == '\\' && isText:
			i++
		}
	}
	begin := at
	for r, n := utf8.DecodeLastRune(raw[:begin]); isWord(r) && !isText; r, n = utf8.DecodeLastRune(raw[:begin]) {
		begin -= n
	}
	word := raw[begin:]
	if end := bytes.IndexFunc(word, func(r rune) bool { return !isWord(r) }); end >= 0 {
		word = word[:end]
	}
	wrong, _ := utf8.DecodeRune(raw[at:])
	what := fmt.Sprintf("%q cannot stand here", wrong)
	switch {
	case isText:
		what = fmt.Sprintf("%q cannot stand here in a text: a quote is written \\\" there, a line break \\n and a backslash \\\\", wrong)
	case wrong == '\'':
		what = `a text stands in quotes, like "this"`
	case len(word) > 0 && !unicode.IsDigit(rune(word[0])):
		what = fmt.Sprintf("a text stands in quotes, like %q", word)
	default:
		begin = at
	}
	line, column := position(raw, begin)
	return fmt.Errorf("it is not JSON: line %d, column %d: %s", line, column, what)
}

// isWord says whether a rune is of a word, as people write one without quotes.
func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// position returns the line and the column of the byte at an offset, both from 1; columns are characters.
func position(raw []byte, at int) (line, column int) {
	before := raw[:at]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[begin:])
}
