// Package flow is the batch: up to 65,536 flow records held column by column, as every tool
// passes them on.
//
// A record is one flow direction as its exporter reported it, or a biflow whose reverse
// elements are columns of their own. Each record has a Shape: the elements that were sent, in
// their order and length. A column holds values only for the records whose shape has it, so
// absence costs nothing and differs from zero.
//
// Columns stay encoded until asked (Batch.Vec), and a column that still lies in a file is not
// even read. A View lays one field out by record, resolving the elements that may carry it.
// A Builder makes batches from records, a column at a time.
//
// A batch that was read may be damaged: blocks that do not decode, columns with too many or too
// few values, shape codes beyond the shapes, columns that lean in a circle. Whoever asks gets an
// error that wraps column.ErrCorrupt, never a panic; a column that nobody asks for is not looked
// at. MaxRecords, MaxShapes, MaxColumns and MaxElements bound what a batch takes.
//
// All slices that a Batch hands out belong to it and are valid until its Release. A Batch is
// used by one goroutine at a time; different batches are independent.
package flow
