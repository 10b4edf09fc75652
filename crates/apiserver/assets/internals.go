//go:build ignore

// Lists the fields of Kubernetes' internal structs that its messages print.
//
// Run inside a module that can import k8s.io/kubernetes:
//
//	go run internals.go > internals.json
//
// Output: struct name -> [[Go name, JSON name in v1 ("" where embedded), type, omitted when empty]] in Go's order.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/core"
)

type field [4]any

var structs = map[string][]field{}

func tag(f reflect.StructField) (string, string) {
	parts := strings.SplitN(f.Tag.Get("json"), ",", 2)
	if len(parts) == 1 {
		return parts[0], ""
	}
	return parts[0], parts[1]
}

// kind names a type: string, int, bool, time, quantity, intstr, []T, map[T], *T or a struct's name.
func kind(internal, external reflect.Type) string {
	switch internal {
	case reflect.TypeOf(resource.Quantity{}):
		return "quantity"
	case reflect.TypeOf(intstr.IntOrString{}):
		return "intstr"
	case reflect.TypeOf(metav1.Time{}):
		return "time"
	}
	elem := func() reflect.Type {
		if external == nil {
			return nil
		}
		switch external.Kind() {
		case reflect.Ptr, reflect.Slice, reflect.Map:
			return external.Elem()
		}
		return external
	}
	switch internal.Kind() {
	case reflect.Ptr:
		return "*" + kind(internal.Elem(), elem())
	case reflect.Slice:
		if internal.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + kind(internal.Elem(), elem())
	case reflect.Map:
		return "map[" + kind(internal.Elem(), elem())
	case reflect.Struct:
		list(internal, elem())
		return internal.Name()
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	default:
		return "int"
	}
}

func externalField(external reflect.Type, name string) (reflect.StructField, bool) {
	if external == nil || external.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	return external.FieldByName(name)
}

func list(internal, external reflect.Type) {
	if _, done := structs[internal.Name()]; done {
		return
	}
	structs[internal.Name()] = nil
	fields := []field{}
	for i := 0; i < internal.NumField(); i++ {
		f := internal.Field(i)
		own, options := tag(f)
		if own == "-" {
			continue
		}
		other, found := externalField(external, f.Name)
		name := ""
		var otherType reflect.Type
		if found {
			name, _ = tag(other)
			otherType = other.Type
		}
		if f.Anonymous && own == "" {
			name = ""
			if !found {
				otherType = external
			}
		}
		shown := f.Name
		if own != "" {
			shown = own
		}
		embedded := f.Anonymous && own == ""
		if embedded {
			shown = ""
		}
		fields = append(fields, field{shown, name, kind(f.Type, otherType), strings.Contains(options, "omitempty")})
	}
	structs[internal.Name()] = fields
}

func main() {
	list(reflect.TypeOf(core.PodTemplateSpec{}), reflect.TypeOf(v1.PodTemplateSpec{}))
	list(reflect.TypeOf(core.PersistentVolumeClaimSpec{}), reflect.TypeOf(v1.PersistentVolumeClaimSpec{}))
	list(reflect.TypeOf(core.PersistentVolumeSource{}), reflect.TypeOf(v1.PersistentVolumeSource{}))
	encoder := json.NewEncoder(os.Stdout)
	_ = encoder.Encode(structs)
}
