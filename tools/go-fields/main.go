// Prints how Go's JSON encoder writes the Kubernetes types inside a RayCluster: the order of fields, and which are left
// out when empty. The hash of a spec (controllers/shared/spec-hash.ts) is made from JSON in exactly that form.
//
//	cd tools/go-fields && go run . > ../../controllers/shared/generated/go-fields.ts
package main

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var roots = []any{
	core.PodTemplateSpec{}, core.Service{}, core.ResourceRequirements{}, core.SecurityContext{}, core.EnvVar{},
	core.EnvFromSource{}, core.VolumeMount{}, core.EnvVarSource{},
	networking.IngressTLS{}, networking.NetworkPolicyIngressRule{}, networking.NetworkPolicyEgressRule{},
}

var special = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():  "quantity",
	reflect.TypeFor[intstr.IntOrString](): "intOrString",
	reflect.TypeFor[meta.Time]():          "time",
	reflect.TypeFor[meta.MicroTime]():     "time",
	reflect.TypeFor[meta.FieldsV1]():      "any",
}

var seen = map[string]string{}

func main() {
	for _, root := range roots {
		describe(reflect.TypeOf(root))
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Println("// Made by tools/go-fields from k8s.io/api v0.36.0: do not edit.")
	fmt.Println("// A field is name:type. ? left out when empty, * a pointer (left out or null only when absent), ! left out when zero.")
	fmt.Println("export const goFields: Readonly<Record<string, string>> = {")
	for _, name := range names {
		fmt.Printf("  %s: %q,\n", name, seen[name])
	}
	fmt.Println("};")
}

// describe notes the fields of a struct and of everything below it, and gives the struct's name.
func describe(t reflect.Type) string {
	name := t.Name()
	if _, done := seen[name]; !done {
		seen[name] = "" // breaks cycles
		seen[name] = strings.Join(fields(t), " ")
	}
	return name
}

func fields(t reflect.Type) []string {
	var result []string
	for i := range t.NumField() {
		field := t.Field(i)
		parts := strings.Split(field.Tag.Get("json"), ",")
		options := strings.Join(parts[1:], ",")
		if strings.Contains(options, "inline") || parts[0] == "" && field.Anonymous {
			result = append(result, fields(field.Type)...)
			continue
		}
		if parts[0] == "-" {
			continue
		}
		result = append(result, parts[0]+":"+marks(field.Type, options)+typeName(field.Type))
	}
	return result
}

func marks(t reflect.Type, options string) string {
	mark := ""
	if strings.Contains(options, "omitempty") {
		mark = "?"
	}
	if strings.Contains(options, "omitzero") {
		mark += "!"
	}
	if t.Kind() == reflect.Pointer {
		mark += "*"
	}
	return mark
}

func typeName(t reflect.Type) string {
	if name, ok := special[t]; ok {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "[]" + typeName(t.Elem())
	case reflect.Map:
		return "{}" + typeName(t.Elem())
	case reflect.Struct:
		return describe(t)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float64:
		return "number"
	default:
		panic(fmt.Sprintf("no name for %v", t))
	}
}
