package blacklist

import "strings"

// formulaStarts are the characters with which a spreadsheet takes a cell for a formula.
const formulaStarts = "=+-@\t\r"

// CSVCell is text as it goes into a CSV file that people may open in a spreadsheet: with an apostrophe before what would be
// taken for a formula there. An import takes that apostrophe off again, and no other.
func CSVCell(text string) string {
	if isFormula(text) {
		return "'" + text
	}
	return text
}

// plainText is the inverse of CSVCell.
func plainText(cell string) string {
	if rest, has := strings.CutPrefix(cell, "'"); has && isFormula(rest) {
		return rest
	}
	return cell
}

// isFormula also takes for one what looks like an apostrophe of ours before one, or it could not be told apart.
func isFormula(text string) bool {
	bare := strings.TrimLeft(text, "'")
	return bare != "" && strings.ContainsRune(formulaStarts, rune(bare[0]))
}
