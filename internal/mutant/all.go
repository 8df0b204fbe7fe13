package mutant

import (
	"slices"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// All are the mutants that make sense for a protocol and for what was said when
// the suite was played.
func All(suite *scenario.Suite, codec *wire.Codec, census *Census) []Mutant {
	s := &subject{codec: codec, census: census}
	for _, sc := range suite.Scenarios {
		output, process := sc.Uses()
		s.output, s.process = s.output || output, s.process || process
		s.port = s.port || slices.Contains(sc.Needs, scenario.OwnPort)
	}
	return slices.Concat(s.relaying(), s.spoiling(), s.answering(), s.segmenting(), s.leaving(), s.crowding(), s.failing(), s.printing(), s.stopping())
}
