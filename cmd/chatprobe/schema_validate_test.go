package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// validate says where a YAML text is not as the schema says.
func validate(t *testing.T, kind string, text []byte) []string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	v := validator{t: t, root: loadSchema(t, kind)}
	return v.check(v.root, value, "")
}

// A validator knows as much of JSON Schema as the two schemas use.
type validator struct {
	t    *testing.T
	root map[string]any
}

func (v validator) check(s map[string]any, value any, where string) []string {
	var wrong []string
	complain := func(format string, args ...any) {
		wrong = append(wrong, where+": "+fmt.Sprintf(format, args...))
	}
	for keyword, want := range s {
		switch keyword {
		case "$schema", "$defs", "title", "description", "properties", "patternProperties":
		case "$ref":
			name, _ := strings.CutPrefix(want.(string), "#/$defs/")
			wrong = append(wrong, v.check(at(v.t, v.root, "$defs", name), value, where)...)
		case "type":
			if !hasType(value, want) {
				complain("%v is no %v", value, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				complain("%v is none of %v", value, want)
			}
		case "const":
			if value != want {
				complain("%v is not %v", value, want)
			}
		case "pattern":
			if text, ok := value.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				complain("%q does not match %v", text, want)
			}
		case "minimum", "maximum":
			n, ok := value.(int)
			if ok && (keyword == "minimum" && float64(n) < want.(float64) || keyword == "maximum" && float64(n) > want.(float64)) {
				complain("%d is beyond the %s, %v", n, keyword, want)
			}
		case "anyOf":
			if !slices.ContainsFunc(want.([]any), func(choice any) bool { return len(v.check(choice.(map[string]any), value, where)) == 0 }) {
				complain("%v fits nothing that can stand here", value)
			}
		case "items", "minItems":
			list, ok := value.([]any)
			if least, isLeast := want.(float64); ok && isLeast && float64(len(list)) < least {
				complain("fewer than %v", least)
			}
			if inner, isInner := want.(map[string]any); isInner {
				for i, item := range list {
					wrong = append(wrong, v.check(inner, item, fmt.Sprintf("%s/%d", where, i))...)
				}
			}
		case "required", "minProperties", "maxProperties", "propertyNames", "additionalProperties":
			if object, ok := value.(map[string]any); ok {
				wrong = append(wrong, v.object(s, keyword, want, object, where)...)
			}
		default:
			v.t.Fatalf("the schema uses %s, which this test does not know", keyword)
		}
	}
	return wrong
}

// object checks what a schema says of objects only.
func (v validator) object(s map[string]any, keyword string, want any, object map[string]any, where string) []string {
	var wrong []string
	switch keyword {
	case "required":
		for _, key := range want.([]any) {
			if _, ok := object[key.(string)]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s: there is no %s", where, key))
			}
		}
	case "minProperties", "maxProperties":
		n, limit := float64(len(object)), want.(float64)
		if keyword == "minProperties" && n < limit || keyword == "maxProperties" && n > limit {
			wrong = append(wrong, fmt.Sprintf("%s: %v keys, and %s is %v", where, n, keyword, limit))
		}
	case "propertyNames":
		for key := range object {
			wrong = append(wrong, v.check(want.(map[string]any), key, where+"/"+key)...)
		}
	case "additionalProperties":
		// With what is named, so that what is not is known.
		for key, value := range object {
			found := false
			if properties, ok := s["properties"].(map[string]any); ok && properties[key] != nil {
				found = true
				wrong = append(wrong, v.check(properties[key].(map[string]any), value, where+"/"+key)...)
			}
			patterns, _ := s["patternProperties"].(map[string]any)
			for pattern, inner := range patterns {
				if regexp.MustCompile(pattern).MatchString(key) {
					found = true
					wrong = append(wrong, v.check(inner.(map[string]any), value, where+"/"+key)...)
				}
			}
			inner, isSchema := want.(map[string]any)
			switch {
			case found:
			case isSchema:
				wrong = append(wrong, v.check(inner, value, where+"/"+key)...)
			default:
				wrong = append(wrong, fmt.Sprintf("%s: unknown key %s", where, key))
			}
		}
	}
	return wrong
}

func hasType(value, want any) bool {
	if list, ok := want.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return hasType(value, one) })
	}
	switch value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case int, uint64, int64:
		return want == "integer" || want == "number"
	case float64:
		return want == "number"
	case []any:
		return want == "array"
	}
	_, isObject := value.(map[string]any)
	return isObject && want == "object"
}
