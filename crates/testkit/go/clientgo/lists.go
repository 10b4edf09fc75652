package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
)

// fill creates some ConfigMaps.
func fill(w *world, count int) error {
	for i := range count {
		object := configMap(fmt.Sprintf("m%02d", i))
		object.Labels = map[string]string{"even": fmt.Sprint(i%2 == 0)}
		if _, err := w.typed.CoreV1().ConfigMaps(w.namespace).Create(w.ctx, object, createNow()); err != nil {
			return err
		}
	}
	return nil
}

// mine leaves out what controllers of the server put into a namespace.
func mine() metav1.ListOptions { return metav1.ListOptions{LabelSelector: "even"} }

// paging: pages by hand and through the pager, all at one version.
func paging(w *world) error {
	if err := fill(w, 25); err != nil {
		return err
	}
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	options := metav1.ListOptions{Limit: 10}
	first, err := maps.List(w.ctx, options)
	if err != nil {
		return err
	}
	if err := check(first.Continue != "" && first.RemainingItemCount != nil && *first.RemainingItemCount >= 15, "first page %v", first.ListMeta); err != nil {
		return err
	}
	if err := maps.Delete(w.ctx, "m20", deleteNow()); err != nil {
		return err
	}
	seen := len(first.Items)
	for options.Continue = first.Continue; options.Continue != ""; {
		page, err := maps.List(w.ctx, options)
		if err != nil {
			return err
		}
		if err := check(page.ResourceVersion == first.ResourceVersion, "version moved from %s to %s", first.ResourceVersion, page.ResourceVersion); err != nil {
			return err
		}
		seen += len(page.Items)
		options.Continue = page.Continue
	}
	count := 0
	each := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return maps.List(w.ctx, options)
	}))
	each.PageSize = 7
	if err := each.EachListItem(w.ctx, mine(), func(runtime.Object) error { count++; return nil }); err != nil {
		return err
	}
	_, broken := maps.List(w.ctx, metav1.ListOptions{Continue: "nonsense"})
	return all(
		check(seen >= 25, "%d items in pages of the first version", seen),
		check(count == 24, "%d items through the pager", count),
		check(apierrors.IsBadRequest(broken), "a broken token: %v", broken),
	)
}

// watching: events in order, a selection that objects enter and leave, a version that is too old.
func watching(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	list, err := maps.List(w.ctx, mine())
	if err != nil {
		return err
	}
	stream, err := maps.Watch(w.ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "even=true"})
	if err != nil {
		return err
	}
	defer stream.Stop()
	if err := fill(w, 2); err != nil {
		return err
	}
	got, err := maps.Get(w.ctx, "m01", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, value := range []string{"true", "false"} {
		got.Labels["even"] = value
		if got, err = maps.Update(w.ctx, got, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	if err := maps.Delete(w.ctx, "m00", deleteNow()); err != nil {
		return err
	}
	for _, wanted := range []string{"ADDED m00", "ADDED m01", "DELETED m01", "DELETED m00"} {
		event, err := next(w, stream)
		if err != nil {
			return err
		}
		object, ok := event.Object.(*corev1.ConfigMap)
		if !ok {
			return fmt.Errorf("an event with %T", event.Object)
		}
		if actual := fmt.Sprintf("%s %s", event.Type, object.Name); actual != wanted {
			return fmt.Errorf("wanted %s, got %s", wanted, actual)
		}
	}
	// A watch that is cut off goes on where it was.
	retrying, err := watchtools.NewRetryWatcherWithContext(w.ctx, list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			one := int64(1)
			options.TimeoutSeconds = &one
			return maps.Watch(ctx, options)
		},
	})
	if err != nil {
		return err
	}
	defer retrying.Stop()
	for range 5 {
		if _, err := next(w, retrying); err != nil {
			return err
		}
	}
	return nil
}

func next(w *world, stream watch.Interface) (watch.Event, error) {
	select {
	case event, open := <-stream.ResultChan():
		if !open {
			return event, fmt.Errorf("the watch has ended")
		}
		return event, nil
	case <-w.ctx.Done():
		return watch.Event{}, fmt.Errorf("no event in time")
	}
}

// watchList: the streaming list of a reflector, then live events.
func watchList(w *world) error {
	if err := fill(w, 20); err != nil {
		return err
	}
	yes := true
	stream, err := w.typed.CoreV1().ConfigMaps(w.namespace).Watch(w.ctx, metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		LabelSelector: "even",
	})
	if err != nil {
		return err
	}
	defer stream.Stop()
	added := 0
	for {
		event, err := next(w, stream)
		if err != nil {
			return err
		}
		if event.Type == watch.Added {
			added++
			continue
		}
		object, ok := event.Object.(*corev1.ConfigMap)
		if !ok || event.Type != watch.Bookmark {
			return fmt.Errorf("unexpected %s of %T", event.Type, event.Object)
		}
		return all(
			check(added == 20, "%d initial events", added),
			check(object.Annotations[metav1.InitialEventsAnnotationKey] == "true", "bookmark %v", object),
		)
	}
}

// table: what kubectl asks for.
func table(w *world) error {
	if err := fill(w, 3); err != nil {
		return err
	}
	config := rest.CopyConfig(w.config)
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.APIPath = "/api"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return err
	}
	body, err := client.Get().Namespace(w.namespace).Resource("configmaps").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		VersionedParams(&metav1.ListOptions{FieldSelector: "metadata.name=m01"}, metav1.ParameterCodec).
		Do(w.ctx).Raw()
	if err != nil {
		return err
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(body, table); err != nil {
		return err
	}
	return check(len(table.Rows) == 1 && table.Rows[0].Cells[0] == "m01", "table %s", body)
}

// until waits for something that other goroutines bring about.
func until(w *world, what string, holds func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-w.ctx.Done():
			return fmt.Errorf("not in time: %s", what)
		}
	}
	return nil
}
