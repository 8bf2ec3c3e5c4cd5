// Package docs_test holds the documentation to the code: what a page names has to exist, and what it promises to list it
// has to list whole.
package docs_test

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

const root = ".."

func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src="([^"]+)"`)
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(withoutCode(read(t, page)), -1) {
			target := match[1] + match[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			linked := page
			if file != "" {
				linked = path.Join(path.Dir(page), file)
			}
			_, err := os.Stat(filepath.Join(root, linked))
			require.NoError(t, err, "%s links to %s", page, target)
			if anchor != "" && strings.HasSuffix(linked, ".md") {
				require.Contains(t, anchors(read(t, linked)), anchor, "%s links to %s", page, target)
			}
		}
	}
}

// A path between backticks is one of this repository's, from its root.
func TestPaths(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`([.\\w-]+(?:/[.\\w-]+)+\\.(?:go|sql|md|yaml|yml|json|html|sh|ts|tsx))(?::\\d+)?`")
	for _, page := range pages(t) {
		for _, match := range named.FindAllStringSubmatch(read(t, page), -1) {
			_, err := os.Stat(filepath.Join(root, match[1]))
			require.NoError(t, err, "%s names %s", page, match[1])
		}
	}
}

func TestMakeTargets(t *testing.T) {
	t.Parallel()
	targets := matches(read(t, "Makefile"), `(?m)^([a-z][\w-]*):`)
	for _, page := range pages(t) {
		for _, target := range matches(read(t, page), "(?:`|\\n)make ([a-z][\\w-]*)") {
			require.Contains(t, targets, target, "%s names make %s", page, target)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	config := read(t, "cmd/steward/config.go")
	variables := matches(config, `env:"([A-Z_]+)"`)
	require.NotEmpty(t, variables)
	known := slices.Clone(variables)
	_, secrets, found := strings.Cut(config, "func secretVariables() []string {")
	require.True(t, found)
	secrets, _, _ = strings.Cut(secrets, "\n}")
	for _, name := range matches(secrets, `"([A-Z_]+)"`) {
		known = append(known, name+"_FILE")
	}

	// The commands that call a Steward elsewhere have nothing of its environment but a key.
	known = append(known, matches(read(t, "cmd/steward/blacklistcmd.go"), `"(STEWARD_[A-Z]+)="`)...)

	for _, page := range pages(t) {
		for _, name := range matches(read(t, page), `\b(STEWARD_[A-Z_]*[A-Z]|DATABASE_URL_FILE)\b`) {
			require.Contains(t, known, name, "%s names a variable that nobody reads", page)
		}
	}
	for _, page := range []string{"README.md", "README.zh-CN.md", "docs/operations.md"} {
		listed := matches(read(t, page), "(?m)^\\| `([A-Z_]+)`")
		if page == "docs/operations.md" {
			listed = matches(read(t, page), "`([A-Z_]+)`")
		}
		for _, name := range variables {
			require.Contains(t, listed, name, "%s leaves a variable out", page)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	var defined []string
	for _, file := range files(t, ".go") {
		if !strings.HasSuffix(file, "_test.go") {
			defined = append(defined, matches(read(t, file), `Name:\s*"(steward_\w+)"`)...)
		}
	}
	require.NotEmpty(t, defined)
	listed := matches(read(t, "docs/operations.md"), "(?m)^\\| `(steward_\\w+)`")
	require.ElementsMatch(t, unique(defined), listed)
	for _, page := range pages(t) {
		for _, name := range matches(read(t, page), `\b(steward_\w+_(?:seconds|total))\b`) {
			require.Contains(t, defined, name, "%s names a metric that does not exist", page)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	source := read(t, "api/problem.go")
	statuses := map[string]int{}
	for status := range 600 {
		if text := http.StatusText(status); text != "" {
			statuses["http.Status"+strings.ReplaceAll(text, " ", "")] = status
		}
	}
	for _, alias := range regexp.MustCompile(`(\w+)\s+= (http\.Status\w+)\n`).FindAllStringSubmatch(source, -1) {
		statuses[alias[1]] = statuses[alias[2]]
	}
	answers := map[string]int{}
	for _, answer := range regexp.MustCompile(`answer\{([\w.]+), "([a-z-]+)"`).FindAllStringSubmatch(source, -1) {
		require.Contains(t, statuses, answer[1])
		answers[answer[2]] = statuses[answer[1]]
	}
	require.NotEmpty(t, answers)

	listed := map[string]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (\\d{3}) \\|").FindAllStringSubmatch(read(t, "docs/api.md"), -1) {
		status, err := strconv.Atoi(row[2])
		require.NoError(t, err)
		listed[row[1]] = status
	}
	require.Equal(t, answers, listed)
}

func TestOperations(t *testing.T) {
	t.Parallel()
	var defined []string
	current := ""
	for line := range strings.Lines(read(t, "api/openapi.yaml")) {
		if match := regexp.MustCompile(`^  (/v1/\S*):`).FindStringSubmatch(line); match != nil {
			current = match[1]
		}
		if match := regexp.MustCompile(`^    (get|post|put|patch|delete):`).FindStringSubmatch(line); match != nil && current != "" {
			defined = append(defined, strings.ToUpper(match[1])+" "+current)
		}
	}
	require.NotEmpty(t, defined)
	listed := matches(read(t, "docs/api.md"), "(?m)^\\| `((?:GET|POST|PUT|PATCH|DELETE) /v1/\\S*)`")
	require.ElementsMatch(t, defined, listed)
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	written, err := fs.Glob(os.DirFS("decisions"), "[0-9]*.md")
	require.NoError(t, err)
	require.ElementsMatch(t, written, matches(read(t, "docs/decisions/README.md"), `\]\((\d{4}-[\w-]+\.md)\)`))
}

// pages are the repository's Markdown files, by their paths from its root.
func pages(t *testing.T) []string { return files(t, ".md") }

func files(t *testing.T, suffix string) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", "build"}, entry.Name()) {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(name, suffix) {
			found = append(found, name)
		}
		return nil
	})
	require.NoError(t, err)
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(content)
}

// matches returns what the first group of pattern matches, each once.
func matches(text, pattern string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return unique(found)
}

func unique(names []string) []string {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// withoutCode drops fenced blocks and code spans, in which a bracket is no link.
func withoutCode(text string) string {
	text = regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "``")
}

// anchors are the fragments that GitHub makes of a page's headings.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading[1])))
	}
	return all
}
