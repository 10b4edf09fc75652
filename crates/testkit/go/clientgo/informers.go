package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

// sharedInformers: a factory over several kinds follows what happens, with listers and handlers.
func sharedInformers(w *world) error {
	if err := fill(w, 10); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(w.typed, time.Hour, informers.WithNamespace(w.namespace))
	maps := factory.Core().V1().ConfigMaps()
	deployments := factory.Apps().V1().Deployments()
	secrets := factory.Core().V1().Secrets()
	roles := factory.Rbac().V1().Roles()
	var added, updated, deleted atomic.Int64
	_, err := maps.Informer().AddEventHandler(cache.FilteringResourceEventHandler{
		FilterFunc: func(object any) bool {
			m, ok := object.(*corev1.ConfigMap)
			return ok && m.Labels["even"] != ""
		},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { added.Add(1) },
			UpdateFunc: func(any, any) { updated.Add(1) },
			DeleteFunc: func(any) { deleted.Add(1) },
		},
	})
	if err != nil {
		return err
	}
	deployments.Informer()
	secrets.Informer()
	roles.Informer()
	stop, cancel := context.WithCancel(w.ctx)
	defer cancel()
	factory.Start(stop.Done())
	for kind, synced := range factory.WaitForCacheSync(w.ctx.Done()) {
		if !synced {
			return fmt.Errorf("%s is not synced", kind)
		}
	}
	if err := until(w, "ten additions", func() bool { return added.Load() == 10 }); err != nil {
		return err
	}
	m, err := maps.Lister().ConfigMaps(w.namespace).Get("m03")
	if err != nil {
		return err
	}
	changed := m.DeepCopy()
	changed.Data["k"] = "w"
	if _, err := w.typed.CoreV1().ConfigMaps(w.namespace).Update(w.ctx, changed, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := w.typed.CoreV1().ConfigMaps(w.namespace).Delete(w.ctx, "m04", deleteNow()); err != nil {
		return err
	}
	if _, err := w.typed.AppsV1().Deployments(w.namespace).Create(w.ctx, deployment("web"), createNow()); err != nil {
		return err
	}
	return until(w, "an update, a deletion and a deployment in the cache", func() bool {
		seen, err := deployments.Lister().Deployments(w.namespace).List(labels.Everything())
		return err == nil && len(seen) == 1 && updated.Load() == 1 && deleted.Load() == 1
	})
}

// metadataClient: an informer that wants metadata only.
func metadataClient(w *world) error {
	if err := fill(w, 4); err != nil {
		return err
	}
	client, err := metadata.NewForConfig(w.config)
	if err != nil {
		return err
	}
	resource := corev1.SchemeGroupVersion.WithResource("configmaps")
	informer := metadatainformer.NewFilteredMetadataInformer(client, resource, w.namespace, time.Hour, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.LabelSelector = "even=true"
	})
	stop, cancel := context.WithCancel(w.ctx)
	defer cancel()
	go informer.Informer().Run(stop.Done())
	if err := until(w, "two objects", func() bool { return len(informer.Informer().GetStore().List()) == 2 }); err != nil {
		return err
	}
	if err := w.typed.CoreV1().ConfigMaps(w.namespace).Delete(w.ctx, "m00", deleteNow()); err != nil {
		return err
	}
	return until(w, "one object", func() bool { return len(informer.Informer().GetStore().List()) == 1 })
}

// election: two candidates; the second leads when the first lets go.
func election(w *world) error {
	lead := func(ctx context.Context, name string, started chan<- string) {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: w.namespace},
			Client:     w.typed.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 100 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { started <- name },
				OnStoppedLeading: func() {},
			},
		})
	}
	started := make(chan string, 2)
	first, release := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	running.Go(func() { lead(first, "one", started) })
	defer running.Wait()
	defer release()
	if name := <-started; name != "one" {
		return fmt.Errorf("%s leads first", name)
	}
	second, end := context.WithCancel(w.ctx)
	defer end()
	running.Go(func() { lead(second, "two", started) })
	release()
	select {
	case name := <-started:
		lease, err := w.typed.CoordinationV1().Leases(w.namespace).Get(w.ctx, "leader", metav1.GetOptions{})
		return all(err, check(name == "two" && *lease.Spec.HolderIdentity == "two" && *lease.Spec.LeaseTransitions == 1, "lease %v of %s", lease.Spec, name))
	case <-w.ctx.Done():
		return fmt.Errorf("the second candidate never led")
	}
}

// eventRecorder: repeated events are one object with a count.
func eventRecorder(w *world) error {
	object, err := w.typed.CoreV1().ConfigMaps(w.namespace).Create(w.ctx, configMap("a"), createNow())
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&eventSink{w})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "clientgo"})
	for range 3 {
		recorder.Event(object, corev1.EventTypeWarning, "Reason", "the message")
	}
	selector := fmt.Sprintf("involvedObject.name=a,involvedObject.uid=%s,type=Warning", object.UID)
	return until(w, "one event with count 3", func() bool {
		list, err := w.typed.CoreV1().Events(w.namespace).List(w.ctx, metav1.ListOptions{FieldSelector: selector})
		return err == nil && len(list.Items) == 1 && list.Items[0].Count == 3
	})
}

// eventSink writes as the sink of typed clients does.
type eventSink struct{ w *world }

func (s *eventSink) Create(e *corev1.Event) (*corev1.Event, error) {
	return s.w.typed.CoreV1().Events(e.Namespace).CreateWithEventNamespaceWithContext(s.w.ctx, e)
}

func (s *eventSink) Update(e *corev1.Event) (*corev1.Event, error) {
	return s.w.typed.CoreV1().Events(e.Namespace).UpdateWithEventNamespaceWithContext(s.w.ctx, e)
}

func (s *eventSink) Patch(e *corev1.Event, data []byte) (*corev1.Event, error) {
	return s.w.typed.CoreV1().Events(e.Namespace).PatchWithEventNamespaceWithContext(s.w.ctx, e, data)
}
