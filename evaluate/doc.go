// Package evaluate gives each merge of a population its marks.
//
// An [Evaluator] returns a score for every example, not a mean: means, paired
// intervals, ties and ensembles are all read from that. [Device] makes the merged
// weights inside the graph that runs the model, from parents that stay on the
// device, so that one call scores a generation and only kilobytes move. [Texts] runs
// models that read texts, whose weights it makes on the device once a candidate.
package evaluate
