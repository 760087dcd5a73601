package plugin

import (
	"context"
	"maps"
	"slices"

	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
)

// maxChange is how many bytes of facts go into one message. Servers of gRPC take 4 MiB, if nobody tells them otherwise.
const maxChange = 1 << 20

// tell makes the program know a state.
func (r *Rules) tell(st world.State) error {
	from := r.told
	if !r.knows {
		from = world.State{}
	}
	set, gone := st.Changes(from)
	if r.knows && len(set) == 0 && len(gone) == 0 && st.Seq == from.Seq && st.Turn == from.Turn {
		return nil
	}
	clear(r.offers)
	whole := !r.knows
	r.knows = false // it may be half of the change that it takes
	for _, change := range split(set, gone) {
		change.Whole, change.Seq, change.Turn = whole, st.Seq, int64(st.Turn)
		err := r.ask("update", func(ctx context.Context) error {
			_, err := r.client.Update(ctx, change)
			return err
		})
		if err != nil {
			return err
		}
		whole = false
	}
	r.told, r.knows = st, true
	return nil
}

// split puts what has changed into messages that are not too long. There is at least one.
func split[T ~[]byte](set map[string]T, gone []string) []*pb.Change {
	change := &pb.Change{Set: make(map[string][]byte)}
	all, size := []*pb.Change{change}, 0
	room := func(bytes int) {
		if size += bytes; size > maxChange && size > bytes {
			change = &pb.Change{Set: make(map[string][]byte)}
			all, size = append(all, change), bytes
		}
	}
	for _, path := range gone {
		room(len(path))
		change.Delete = append(change.Delete, path)
	}
	for _, path := range slices.Sorted(maps.Keys(set)) {
		room(len(path) + len(set[path]))
		change.Set[path] = set[path]
	}
	return all
}
