package agents

import (
	"fmt"
	"strings"
	"time"
)

// Limits bound what the processes of an agent use of the machine. What is 0 is not bounded.
type Limits struct {
	Memory    int64         `json:"memory,omitempty"`     // bytes of all its processes, but for what they have read or mapped of files
	CPU       time.Duration `json:"cpu_ns,omitempty"`     // processor time of all its processes, those that have ended among them
	Processes int64         `json:"processes,omitempty"`  // at a time; threads count
	FileSize  int64         `json:"file_size,omitempty"`  // bytes of one file
	OpenFiles int64         `json:"open_files,omitempty"` // of one process at a time
	Disk      int64         `json:"disk,omitempty"`       // bytes that the files in its folders take
}

// The resources that [Limits] bound, by the names that scenarios have for them.
const (
	Memory    = "memory"
	CPU       = "cpu"
	Processes = "processes"
	FileSize  = "file_size"
	OpenFiles = "open_files"
	Disk      = "disk"
)

// A Breach says that an agent has used more of a resource than it may. It has been ended for that.
type Breach struct {
	Resource string `json:"resource"`       // such as [Memory]
	Used     int64  `json:"used"`           // what was measured
	Bound    int64  `json:"bound"`          // what it may use
	Unit     string `json:"unit,omitempty"` // of both: "bytes", "ms", or empty where they count things
	Detail   string `json:"detail,omitempty"`
}

// String says it for people.
func (b *Breach) String() string {
	used, bound := b.quantity(b.Used), b.quantity(b.Bound)
	if used == bound { // but for what was rounded off
		used, bound = fmt.Sprint(b.Used), fmt.Sprint(b.Bound, " ", b.Unit)
	}
	text := fmt.Sprintf("over its limit of %s: %s, and %s allowed", b.Resource, used, bound)
	if b.Detail != "" {
		text += " (" + b.Detail + ")"
	}
	return text
}

// quantity returns a figure for people.
func (b *Breach) quantity(n int64) string {
	switch {
	case b.Unit == "ms":
		return (time.Duration(n) * time.Millisecond).String()
	case b.Unit != "bytes":
		return fmt.Sprint(n)
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<10)), ".0") + " KiB"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0") + " MiB"
}
