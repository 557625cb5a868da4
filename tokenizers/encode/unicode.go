package encode

import "unicode"

// The reference takes punctuation, marks and controls from tables of an earlier
// Unicode than Go's: what came later is none to it. The tables here hold those
// characters, found by asking tokenizers 0.23.3 about each code point.

// laterPunctuation is punctuation to Go and not to the reference.
var laterPunctuation = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x61D, Hi: 0x61D, Stride: 1}, {Lo: 0x9FD, Hi: 0x9FD, Stride: 1}, {Lo: 0xA76, Hi: 0xA76, Stride: 1}, {Lo: 0xC77, Hi: 0xC77, Stride: 1},
		{Lo: 0xC84, Hi: 0xC84, Stride: 1}, {Lo: 0x1B7D, Hi: 0x1B7E, Stride: 1}, {Lo: 0x2E43, Hi: 0x2E4F, Stride: 1}, {Lo: 0x2E52, Hi: 0x2E5D, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10EAD, Hi: 0x10EAD, Stride: 1}, {Lo: 0x10F55, Hi: 0x10F59, Stride: 1}, {Lo: 0x10F86, Hi: 0x10F89, Stride: 1},
		{Lo: 0x1144B, Hi: 0x1144F, Stride: 1}, {Lo: 0x1145A, Hi: 0x1145B, Stride: 1}, {Lo: 0x1145D, Hi: 0x1145D, Stride: 1},
		{Lo: 0x11660, Hi: 0x1166C, Stride: 1}, {Lo: 0x116B9, Hi: 0x116B9, Stride: 1}, {Lo: 0x1183B, Hi: 0x1183B, Stride: 1},
		{Lo: 0x11944, Hi: 0x11946, Stride: 1}, {Lo: 0x119E2, Hi: 0x119E2, Stride: 1}, {Lo: 0x11A3F, Hi: 0x11A46, Stride: 1},
		{Lo: 0x11A9A, Hi: 0x11A9C, Stride: 1}, {Lo: 0x11A9E, Hi: 0x11AA2, Stride: 1}, {Lo: 0x11B00, Hi: 0x11B09, Stride: 1},
		{Lo: 0x11C41, Hi: 0x11C45, Stride: 1}, {Lo: 0x11C70, Hi: 0x11C71, Stride: 1}, {Lo: 0x11EF7, Hi: 0x11EF8, Stride: 1},
		{Lo: 0x11F43, Hi: 0x11F4F, Stride: 1}, {Lo: 0x11FFF, Hi: 0x11FFF, Stride: 1}, {Lo: 0x12FF1, Hi: 0x12FF2, Stride: 1},
		{Lo: 0x16E97, Hi: 0x16E9A, Stride: 1}, {Lo: 0x16FE2, Hi: 0x16FE2, Stride: 1}, {Lo: 0x1E95E, Hi: 0x1E95F, Stride: 1},
	},
}

// laterMarks are nonspacing marks to Go that BERT's normalizer keeps.
var laterMarks = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x7FD, Hi: 0x7FD, Stride: 1}, {Lo: 0x898, Hi: 0x89F, Stride: 1}, {Lo: 0x8CA, Hi: 0x8E1, Stride: 1}, {Lo: 0x9FE, Hi: 0x9FE, Stride: 1},
		{Lo: 0xAFA, Hi: 0xAFF, Stride: 1}, {Lo: 0xB55, Hi: 0xB55, Stride: 1}, {Lo: 0xC04, Hi: 0xC04, Stride: 1}, {Lo: 0xC3C, Hi: 0xC3C, Stride: 1},
		{Lo: 0xD00, Hi: 0xD00, Stride: 1}, {Lo: 0xD3B, Hi: 0xD3C, Stride: 1}, {Lo: 0xD81, Hi: 0xD81, Stride: 1}, {Lo: 0xEBA, Hi: 0xEBA, Stride: 1},
		{Lo: 0xECE, Hi: 0xECE, Stride: 1}, {Lo: 0x180F, Hi: 0x180F, Stride: 1}, {Lo: 0x1885, Hi: 0x1886, Stride: 1}, {Lo: 0x1ABF, Hi: 0x1ACE, Stride: 1},
		{Lo: 0x1DF6, Hi: 0x1DFB, Stride: 1}, {Lo: 0xA82C, Hi: 0xA82C, Stride: 1}, {Lo: 0xA8C5, Hi: 0xA8C5, Stride: 1}, {Lo: 0xA8FF, Hi: 0xA8FF, Stride: 1},
		{Lo: 0xA9BD, Hi: 0xA9BD, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10D24, Hi: 0x10D27, Stride: 1}, {Lo: 0x10EAB, Hi: 0x10EAC, Stride: 1}, {Lo: 0x10EFD, Hi: 0x10EFF, Stride: 1},
		{Lo: 0x10F46, Hi: 0x10F50, Stride: 1}, {Lo: 0x10F82, Hi: 0x10F85, Stride: 1}, {Lo: 0x11070, Hi: 0x11070, Stride: 1},
		{Lo: 0x11073, Hi: 0x11074, Stride: 1}, {Lo: 0x110C2, Hi: 0x110C2, Stride: 1}, {Lo: 0x111C9, Hi: 0x111C9, Stride: 1},
		{Lo: 0x111CF, Hi: 0x111CF, Stride: 1}, {Lo: 0x1123E, Hi: 0x1123E, Stride: 1}, {Lo: 0x11241, Hi: 0x11241, Stride: 1},
		{Lo: 0x1133B, Hi: 0x1133B, Stride: 1}, {Lo: 0x11438, Hi: 0x1143F, Stride: 1}, {Lo: 0x11442, Hi: 0x11444, Stride: 1},
		{Lo: 0x11446, Hi: 0x11446, Stride: 1}, {Lo: 0x1145E, Hi: 0x1145E, Stride: 1}, {Lo: 0x1182F, Hi: 0x11837, Stride: 1},
		{Lo: 0x11839, Hi: 0x1183A, Stride: 1}, {Lo: 0x1193B, Hi: 0x1193C, Stride: 1}, {Lo: 0x1193E, Hi: 0x1193E, Stride: 1},
		{Lo: 0x11943, Hi: 0x11943, Stride: 1}, {Lo: 0x119D4, Hi: 0x119D7, Stride: 1}, {Lo: 0x119DA, Hi: 0x119DB, Stride: 1},
		{Lo: 0x119E0, Hi: 0x119E0, Stride: 1}, {Lo: 0x11A01, Hi: 0x11A0A, Stride: 1}, {Lo: 0x11A33, Hi: 0x11A38, Stride: 1},
		{Lo: 0x11A3B, Hi: 0x11A3E, Stride: 1}, {Lo: 0x11A47, Hi: 0x11A47, Stride: 1}, {Lo: 0x11A51, Hi: 0x11A56, Stride: 1},
		{Lo: 0x11A59, Hi: 0x11A5B, Stride: 1}, {Lo: 0x11A8A, Hi: 0x11A96, Stride: 1}, {Lo: 0x11A98, Hi: 0x11A99, Stride: 1},
		{Lo: 0x11C30, Hi: 0x11C36, Stride: 1}, {Lo: 0x11C38, Hi: 0x11C3D, Stride: 1}, {Lo: 0x11C3F, Hi: 0x11C3F, Stride: 1},
		{Lo: 0x11C92, Hi: 0x11CA7, Stride: 1}, {Lo: 0x11CAA, Hi: 0x11CB0, Stride: 1}, {Lo: 0x11CB2, Hi: 0x11CB3, Stride: 1},
		{Lo: 0x11CB5, Hi: 0x11CB6, Stride: 1}, {Lo: 0x11D31, Hi: 0x11D36, Stride: 1}, {Lo: 0x11D3A, Hi: 0x11D3A, Stride: 1},
		{Lo: 0x11D3C, Hi: 0x11D3D, Stride: 1}, {Lo: 0x11D3F, Hi: 0x11D45, Stride: 1}, {Lo: 0x11D47, Hi: 0x11D47, Stride: 1},
		{Lo: 0x11D90, Hi: 0x11D91, Stride: 1}, {Lo: 0x11D95, Hi: 0x11D95, Stride: 1}, {Lo: 0x11D97, Hi: 0x11D97, Stride: 1},
		{Lo: 0x11EF3, Hi: 0x11EF4, Stride: 1}, {Lo: 0x11F00, Hi: 0x11F01, Stride: 1}, {Lo: 0x11F36, Hi: 0x11F3A, Stride: 1},
		{Lo: 0x11F40, Hi: 0x11F40, Stride: 1}, {Lo: 0x11F42, Hi: 0x11F42, Stride: 1}, {Lo: 0x13440, Hi: 0x13440, Stride: 1},
		{Lo: 0x13447, Hi: 0x13455, Stride: 1}, {Lo: 0x16F4F, Hi: 0x16F4F, Stride: 1}, {Lo: 0x16FE4, Hi: 0x16FE4, Stride: 1},
		{Lo: 0x1CF00, Hi: 0x1CF2D, Stride: 1}, {Lo: 0x1CF30, Hi: 0x1CF46, Stride: 1}, {Lo: 0x1E000, Hi: 0x1E006, Stride: 1},
		{Lo: 0x1E008, Hi: 0x1E018, Stride: 1}, {Lo: 0x1E01B, Hi: 0x1E021, Stride: 1}, {Lo: 0x1E023, Hi: 0x1E024, Stride: 1},
		{Lo: 0x1E026, Hi: 0x1E02A, Stride: 1}, {Lo: 0x1E08F, Hi: 0x1E08F, Stride: 1}, {Lo: 0x1E130, Hi: 0x1E136, Stride: 1},
		{Lo: 0x1E2AE, Hi: 0x1E2AE, Stride: 1}, {Lo: 0x1E2EC, Hi: 0x1E2EF, Stride: 1}, {Lo: 0x1E4EC, Hi: 0x1E4EF, Stride: 1},
		{Lo: 0x1E944, Hi: 0x1E94A, Stride: 1},
	},
}

// laterControls are format characters to Go that BERT's normalizer keeps.
var laterControls = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x890, Hi: 0x891, Stride: 1}, {Lo: 0x8E2, Hi: 0x8E2, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x110CD, Hi: 0x110CD, Stride: 1}, {Lo: 0x13430, Hi: 0x1343F, Stride: 1},
	},
}

// laterForms have a decomposition in Go and none in the reference.
var laterForms = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x32FF, Hi: 0x32FF, Stride: 1}, {Lo: 0xA7F2, Hi: 0xA7F4, Stride: 1}, {Lo: 0xAB69, Hi: 0xAB69, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10781, Hi: 0x10785, Stride: 1}, {Lo: 0x10787, Hi: 0x107B0, Stride: 1}, {Lo: 0x107B2, Hi: 0x107BA, Stride: 1}, {Lo: 0x11938, Hi: 0x11938, Stride: 1},
		{Lo: 0x1E030, Hi: 0x1E06D, Stride: 1}, {Lo: 0x1F16C, Hi: 0x1F16C, Stride: 1}, {Lo: 0x1FBF0, Hi: 0x1FBF9, Stride: 1},
	},
}

// laterStripped are marks to Go that StripAccents keeps.
var laterStripped = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x7FD, Hi: 0x7FD, Stride: 1}, {Lo: 0x898, Hi: 0x89F, Stride: 1}, {Lo: 0x8CA, Hi: 0x8D3, Stride: 1}, {Lo: 0x9FE, Hi: 0x9FE, Stride: 1},
		{Lo: 0xAFA, Hi: 0xAFF, Stride: 1}, {Lo: 0xB55, Hi: 0xB55, Stride: 1}, {Lo: 0xC04, Hi: 0xC04, Stride: 1}, {Lo: 0xC3C, Hi: 0xC3C, Stride: 1},
		{Lo: 0xCF3, Hi: 0xCF3, Stride: 1}, {Lo: 0xD00, Hi: 0xD00, Stride: 1}, {Lo: 0xD3B, Hi: 0xD3C, Stride: 1}, {Lo: 0xD81, Hi: 0xD81, Stride: 1},
		{Lo: 0xEBA, Hi: 0xEBA, Stride: 1}, {Lo: 0xECE, Hi: 0xECE, Stride: 1}, {Lo: 0x1715, Hi: 0x1715, Stride: 1}, {Lo: 0x180F, Hi: 0x180F, Stride: 1},
		{Lo: 0x1ABF, Hi: 0x1ACE, Stride: 1}, {Lo: 0x1CF2, Hi: 0x1CF3, Stride: 1}, {Lo: 0x1CF7, Hi: 0x1CF7, Stride: 1}, {Lo: 0x1DF6, Hi: 0x1DFA, Stride: 1},
		{Lo: 0xA82C, Hi: 0xA82C, Stride: 1}, {Lo: 0xA8FF, Hi: 0xA8FF, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10D24, Hi: 0x10D27, Stride: 1}, {Lo: 0x10EAB, Hi: 0x10EAC, Stride: 1}, {Lo: 0x10EFD, Hi: 0x10EFF, Stride: 1}, {Lo: 0x10F46, Hi: 0x10F50, Stride: 1},
		{Lo: 0x10F82, Hi: 0x10F85, Stride: 1}, {Lo: 0x11070, Hi: 0x11070, Stride: 1}, {Lo: 0x11073, Hi: 0x11074, Stride: 1}, {Lo: 0x110C2, Hi: 0x110C2, Stride: 1},
		{Lo: 0x11145, Hi: 0x11146, Stride: 1}, {Lo: 0x111C9, Hi: 0x111C9, Stride: 1}, {Lo: 0x111CE, Hi: 0x111CF, Stride: 1}, {Lo: 0x11241, Hi: 0x11241, Stride: 1},
		{Lo: 0x1133B, Hi: 0x1133B, Stride: 1}, {Lo: 0x1145E, Hi: 0x1145E, Stride: 1}, {Lo: 0x1182C, Hi: 0x1183A, Stride: 1}, {Lo: 0x11930, Hi: 0x11935, Stride: 1},
		{Lo: 0x11937, Hi: 0x11938, Stride: 1}, {Lo: 0x1193B, Hi: 0x1193E, Stride: 1}, {Lo: 0x11940, Hi: 0x11940, Stride: 1}, {Lo: 0x11942, Hi: 0x11943, Stride: 1},
		{Lo: 0x119D1, Hi: 0x119D7, Stride: 1}, {Lo: 0x119DA, Hi: 0x119E0, Stride: 1}, {Lo: 0x119E4, Hi: 0x119E4, Stride: 1}, {Lo: 0x11A01, Hi: 0x11A0A, Stride: 1},
		{Lo: 0x11A33, Hi: 0x11A39, Stride: 1}, {Lo: 0x11A3B, Hi: 0x11A3E, Stride: 1}, {Lo: 0x11A47, Hi: 0x11A47, Stride: 1}, {Lo: 0x11A51, Hi: 0x11A5B, Stride: 1},
		{Lo: 0x11A8A, Hi: 0x11A99, Stride: 1}, {Lo: 0x11D31, Hi: 0x11D36, Stride: 1}, {Lo: 0x11D3A, Hi: 0x11D3A, Stride: 1}, {Lo: 0x11D3C, Hi: 0x11D3D, Stride: 1},
		{Lo: 0x11D3F, Hi: 0x11D45, Stride: 1}, {Lo: 0x11D47, Hi: 0x11D47, Stride: 1}, {Lo: 0x11D8A, Hi: 0x11D8E, Stride: 1}, {Lo: 0x11D90, Hi: 0x11D91, Stride: 1},
		{Lo: 0x11D93, Hi: 0x11D97, Stride: 1}, {Lo: 0x11EF3, Hi: 0x11EF6, Stride: 1}, {Lo: 0x11F00, Hi: 0x11F01, Stride: 1}, {Lo: 0x11F03, Hi: 0x11F03, Stride: 1},
		{Lo: 0x11F34, Hi: 0x11F3A, Stride: 1}, {Lo: 0x11F3E, Hi: 0x11F42, Stride: 1}, {Lo: 0x13440, Hi: 0x13440, Stride: 1}, {Lo: 0x13447, Hi: 0x13455, Stride: 1},
		{Lo: 0x16F4F, Hi: 0x16F4F, Stride: 1}, {Lo: 0x16F7F, Hi: 0x16F87, Stride: 1}, {Lo: 0x16FE4, Hi: 0x16FE4, Stride: 1}, {Lo: 0x16FF0, Hi: 0x16FF1, Stride: 1},
		{Lo: 0x1CF00, Hi: 0x1CF2D, Stride: 1}, {Lo: 0x1CF30, Hi: 0x1CF46, Stride: 1}, {Lo: 0x1E08F, Hi: 0x1E08F, Stride: 1}, {Lo: 0x1E130, Hi: 0x1E136, Stride: 1},
		{Lo: 0x1E2AE, Hi: 0x1E2AE, Stride: 1}, {Lo: 0x1E2EC, Hi: 0x1E2EF, Stride: 1}, {Lo: 0x1E4EC, Hi: 0x1E4EF, Stride: 1},
	},
}

// isPunctuation is category P, and what ASCII has besides.
func isPunctuation(r rune) bool {
	if r < 128 {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	// Unicode 13 made a symbol of U+166D.
	return r == 0x166D || r == 0x111C9 || unicode.IsPunct(r) && !unicode.Is(laterPunctuation, r)
}

// isControl is what BERT's normalizer drops besides spaces: controls, formats and
// private use.
func isControl(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(laterControls, r)
}

// isAccent is a nonspacing mark that BERT's normalizer drops.
func isAccent(r rune) bool { return unicode.Is(unicode.Mn, r) && !unicode.Is(laterMarks, r) }

// isMark is a mark that StripAccents drops.
func isMark(r rune) bool { return unicode.IsMark(r) && !unicode.Is(laterStripped, r) }

// isWord is \w of Unicode's regular expressions.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
