package main

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/restmapper"
)

var definitionsResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func untyped(apiVersion, kind, name string, fields map[string]any) *unstructured.Unstructured {
	object := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}}
	for key, value := range fields {
		object[key] = value
	}
	return &unstructured.Unstructured{Object: object}
}

// dynamicClient: objects without types, applied, listed and watched.
func dynamicClient(w *world) error {
	maps := w.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(w.namespace)
	object := untyped("v1", "ConfigMap", "a", map[string]any{"data": map[string]any{"k": "v"}})
	applied, err := maps.Apply(w.ctx, "a", object, metav1.ApplyOptions{FieldManager: "dynamic"})
	if err != nil {
		return err
	}
	// Controllers of the server write objects of their own meanwhile.
	only := metav1.ListOptions{FieldSelector: "metadata.name=a"}
	list, err := maps.List(w.ctx, only)
	if err != nil {
		return err
	}
	only.ResourceVersion = list.GetResourceVersion()
	stream, err := maps.Watch(w.ctx, only)
	if err != nil {
		return err
	}
	defer stream.Stop()
	if err := maps.Delete(w.ctx, "a", deleteNow()); err != nil {
		return err
	}
	event, err := next(w, stream)
	if err != nil {
		return err
	}
	return check(event.Type == "DELETED" && len(list.Items) == 1 && list.Items[0].GetUID() == applied.GetUID(), "event %v", event)
}

// definitions: a definition serves, its objects are checked and defaulted, it goes with them.
func definitions(w *world) error {
	group := w.namespace + ".example.com"
	definition := untyped("apiextensions.k8s.io/v1", "CustomResourceDefinition", "foos."+group, map[string]any{"spec": map[string]any{
		"group": group, "scope": "Namespaced", "names": map[string]any{"plural": "foos", "kind": "Foo"},
		"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{
				"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
				"spec": map[string]any{"type": "object", "properties": map[string]any{
					"size": map[string]any{"type": "integer", "default": int64(3), "maximum": int64(5)}}}}}}}},
	}})
	crds := w.dynamic.Resource(definitionsResource)
	if _, err := crds.Create(w.ctx, definition, createNow()); err != nil {
		return err
	}
	foos := w.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "foos"}).Namespace(w.namespace)
	var made *unstructured.Unstructured
	if err := until(w, "a served definition", func() bool {
		var err error
		made, err = foos.Create(w.ctx, untyped(group+"/v1", "Foo", "f", map[string]any{"spec": map[string]any{}}), createNow())
		return err == nil
	}); err != nil {
		return err
	}
	size, _, _ := unstructured.NestedInt64(made.Object, "spec", "size")
	made.Object["status"] = map[string]any{"phase": "x"}
	updated, err := foos.UpdateStatus(w.ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	_, refused := foos.Apply(w.ctx, "f", untyped(group+"/v1", "Foo", "f", map[string]any{"spec": map[string]any{"size": int64(9)}}), metav1.ApplyOptions{FieldManager: "x"})
	if err := all(
		check(size == 3 && updated.GetGeneration() == 1, "size %d, generation %d", size, updated.GetGeneration()),
		check(refused != nil, "a size of 9 was taken"),
		crds.Delete(w.ctx, "foos."+group, deleteNow()),
	); err != nil {
		return err
	}
	return until(w, "the end of the definition", func() bool {
		_, err := foos.List(w.ctx, metav1.ListOptions{})
		return err != nil
	})
}

// discovering: groups, resources, OpenAPI of both versions.
func discovering(w *world) error {
	version, err := w.discovery.ServerVersion()
	if err != nil {
		return err
	}
	groups, lists, err := w.discovery.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	preferred, err := discovery.ServerPreferredNamespacedResources(w.discovery)
	if err != nil {
		return err
	}
	document, err := w.discovery.OpenAPISchema()
	if err != nil {
		return err
	}
	third, err := openapi3.NewRoot(w.discovery.OpenAPIV3()).GVSpec(schema.GroupVersion{Group: "apps", Version: "v1"})
	if err != nil {
		return err
	}
	return all(
		check(version.Major == "1" && version.Minor != "", "version %v", version),
		check(len(groups) > 15 && len(lists) > 20 && len(preferred) > 10, "%d groups, %d lists, %d preferred", len(groups), len(lists), len(preferred)),
		check(len(document.GetDefinitions().GetAdditionalProperties()) > 500, "%d definitions", len(document.GetDefinitions().GetAdditionalProperties())),
		check(third.Components.Schemas["io.k8s.api.apps.v1.Deployment"] != nil, "no Deployment in the document of apps/v1"),
	)
}

// mapper: kinds and short names to resources.
func mapper(w *world) error {
	cached := memory.NewMemCacheClient(w.discovery)
	deferred := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	short := restmapper.NewShortcutExpander(deferred, cached, nil)
	mapping, err := deferred.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	if err != nil {
		return err
	}
	resource, err := short.ResourceFor(schema.GroupVersionResource{Resource: "cm"})
	if err != nil {
		return err
	}
	_, absent := deferred.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Nothing"})
	expander := restmapper.NewDiscoveryCategoryExpander(cached)
	all_, _ := expander.Expand("all")
	return all(
		check(mapping.Resource.Resource == "deployments" && mapping.Scope.Name() == meta.RESTScopeNameNamespace, "mapping %v", mapping),
		check(resource.Resource == "configmaps", "cm is %v", resource),
		check(meta.IsNoMatchError(absent), "an absent kind: %v", absent),
		check(slices.ContainsFunc(all_, func(r schema.GroupResource) bool { return r.Resource == "deployments" }), "%s", fmt.Sprint(all_)),
	)
}
