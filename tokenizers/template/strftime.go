package template

import (
	"fmt"
	"strings"
	"time"
)

// directives are those of strftime that templates use.
var directives = map[byte]string{
	'd': "02", 'm': "01", 'y': "06", 'Y': "2006", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'e': "_2", 'F': "2006-01-02", 'T': "15:04:05",
}

// strftime writes a time as Python does.
func strftime(at time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) {
			return "", fmt.Errorf("strftime_now(%q) ends in %%", format)
		}
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		layout, ok := directives[format[i]]
		if !ok {
			return "", fmt.Errorf("strftime_now: %%%c is not known here", format[i])
		}
		b.WriteString(at.Format(layout))
	}
	return b.String(), nil
}
