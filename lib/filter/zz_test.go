package filter
import ("testing";"math/rand/v2";"os";"fmt";"nfpipe/lib/column";"nfpipe/lib/flow")
func TestZZ(t *testing.T){
	for seed := range 200 {
		w := &world{rand.New(rand.NewPCG(uint64(seed), 7)), seed%2 == 0}
		sizes := []int{1, 2, 63, 64, 65, 127, 128, 500, 1000, 3000}
		dump = func(v *column.Vec){ os.WriteFile("/tmp/fov/vec", []byte(fmt.Sprintf("%d\n%d %d\nints %v\ncodes %v\n",seed, v.Kind,v.Form,v.Ints,v.Codes)),0644) }
		w.batch(sizes[w.IntN(len(sizes))])
	}
}
var _ = flow.MaxRecords
