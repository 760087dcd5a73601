package scenarios

import (
	"regexp"
	"testing"
)

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]Size{
		"0B": 0, "1B": 1, "12kB": 12000, "5MB": 5e6, "2GB": 2e9, "1TB": 1e12, "1KiB": 1024, "512MiB": 512 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"1.5GiB": 3 << 29, "0.5KiB": 512, "1.0009kB": 1000,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "B", "5", "MiB", "-1B", "+1B", "1 B", " 1B", "1mb", "1Mib", "1e3B", "0x1B", "1.B", ".5B", "1.2.3B", "1_0B", "infB", "nanB", "9000000TiB", "1,5GiB",
	} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestSizesAreSaidAsTheyAreRead(t *testing.T) {
	for size, want := range map[Size]string{0: "0B", 1000: "1000B", 1024: "1KiB", 3 << 29: "1536MiB", 4 << 30: "4GiB", 1 << 40: "1TiB", 1<<20 + 1: "1048577B"} {
		got := size.String()
		if back, err := ParseSize(got); got != want || err != nil || back != size {
			t.Errorf("%d is said as %q, and that is %d, %v", size, got, back, err)
		}
	}
}

func FuzzSizesThatAreReadAreSaidAgain(f *testing.F) {
	for _, text := range []string{"1B", "1.5GiB", "9223372036854775807B", "0.1TB"} {
		f.Add(text)
	}
	pattern := regexp.MustCompile(sizePattern)
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err != nil {
			return
		}
		if !pattern.MatchString(text) {
			t.Errorf("the schema does not know %q", text)
		}
		if back, err := ParseSize(size.String()); size < 0 || err != nil || back != size && size < 1<<53 {
			t.Errorf("%q is %d, said as %s, which is %d, %v", text, size, size, back, err)
		}
	})
}
