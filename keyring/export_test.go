package keyring

// SealedColumns are the columns that Reseal goes through, as "table.column".
func SealedColumns() []string {
	var all []string
	for _, t := range tables() {
		for _, column := range t.columns {
			all = append(all, t.name+"."+column)
		}
	}
	return all
}
