package scenarios

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
)

const (
	// variablePattern matches names of variables. Small letters are none, so that there is one way to write a name.
	variablePattern = `^[A-Z_][A-Z0-9_]*$`

	// reservedPattern matches names of variables that are not for scenarios to set; the package comment lists them.
	reservedPattern = `^(HOME|PATH|PWD|SHELL|ENV|TMP|TEMP|TMPDIR|API_TIMEOUT_MS|GCONV_PATH|GLIBC_TUNABLES|MAX_(THINKING|MCP_OUTPUT)_TOKENS|` +
		`(ANTHROPIC_|BASH_|BUN_|CLAUDE|DISABLE_|ENABLE_|LD_|MCP_|NODE_|OTEL_|SSL_CERT_|XDG_).*|.*_PROXY)$`
)

// env reads the variables of an environment.
func (d *decoder) env(n *node, at string, spec spec) Env {
	env := make(Env)
	name, reserved := regexp.MustCompile(variablePattern), regexp.MustCompile(reservedPattern)
	for _, key := range slices.Sorted(maps.Keys(n.table)) {
		child := n.table[key]
		switch {
		case !name.MatchString(key):
			d.fail(child, child.key, fmt.Sprintf("%s: the name of a variable must match %s, not be %q", at, variablePattern, key), "capital letters, digits and _")
		case spec.reserved && reserved.MatchString(key):
			d.fail(child, child.key, fmt.Sprintf("%s: %s is the name of a variable that a scenario cannot set", at, key),
				"the isolation of agents, or the way to their models, depends on it")
		default:
			var value string
			d.text(child, path(at, key), reflect.ValueOf(&value).Elem(), spec)
			env[key] = value
		}
	}
	return env
}

// envSchema adds the names of variables to a schema.
func envSchema(schema map[string]any, spec spec) {
	names := map[string]any{"pattern": variablePattern}
	if spec.reserved {
		names["not"] = map[string]any{"pattern": reservedPattern}
	}
	schema["propertyNames"] = names
	schema["additionalProperties"] = map[string]any{"type": "string"}
}
