package format

import "nfpipe/lib/flow"

func (p *Printer) compileJSON(array bool)         {}
func (p *Printer) itemsJSON(b *flow.Batch) []item { return nil }
