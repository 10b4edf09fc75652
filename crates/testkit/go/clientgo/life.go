package main

import (
	"fmt"
	"io"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// eviction: allowed without a budget, refused with 429 by one that allows none.
func eviction(w *world) error {
	pods := w.typed.CoreV1().Pods(w.namespace)
	one := pod("a")
	one.Labels = map[string]string{"app": "a"}
	if _, err := pods.Create(w.ctx, one, createNow()); err != nil {
		return err
	}
	evict := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: w.namespace}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}}
	if err := pods.EvictV1(w.ctx, evict); err != nil {
		return err
	}
	evict.DeleteOptions = nil
	if err := pods.EvictV1(w.ctx, evict); err != nil {
		return err
	}
	if err := until(w, "the end of the pod", func() bool {
		got, err := pods.Get(w.ctx, "a", metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && got.DeletionTimestamp != nil
	}); err != nil {
		return err
	}
	evict.Name = "absent"
	return check(apierrors.IsNotFound(pods.EvictV1(w.ctx, evict)), "an absent pod can be evicted")
}

// finalizers: an object waits for its finalizer.
func finalizers(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	object := configMap("a")
	object.Finalizers = []string{"example.com/wait"}
	if _, err := maps.Create(w.ctx, object, createNow()); err != nil {
		return err
	}
	if err := maps.Delete(w.ctx, "a", deleteNow()); err != nil {
		return err
	}
	waiting, err := maps.Get(w.ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := check(waiting.DeletionTimestamp != nil && *waiting.DeletionGracePeriodSeconds == 0, "metadata %v", waiting.ObjectMeta); err != nil {
		return err
	}
	waiting.Finalizers = nil
	if _, err := maps.Update(w.ctx, waiting, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = maps.Get(w.ctx, "a", metav1.GetOptions{})
	return check(apierrors.IsNotFound(err), "after the last finalizer: %v", err)
}

// owners: orphans keep living without their owner.
func owners(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	owner, err := maps.Create(w.ctx, configMap("owner"), createNow())
	if err != nil {
		return err
	}
	dependent := configMap("dependent")
	dependent.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
	if _, err := maps.Create(w.ctx, dependent, createNow()); err != nil {
		return err
	}
	orphan := metav1.DeletePropagationOrphan
	if err := maps.Delete(w.ctx, "owner", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		return err
	}
	got, err := maps.Get(w.ctx, "owner", metav1.GetOptions{})
	return check(apierrors.IsNotFound(err) || err == nil && got.Finalizers[0] == metav1.FinalizerOrphanDependents, "the owner: %v, %v", got, err)
}

// deleteCollection: by selector.
func deleteCollection(w *world) error {
	if err := fill(w, 6); err != nil {
		return err
	}
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	if err := maps.DeleteCollection(w.ctx, deleteNow(), metav1.ListOptions{LabelSelector: "even=true"}); err != nil {
		return err
	}
	left, err := maps.List(w.ctx, mine())
	return all(err, check(err == nil && len(left.Items) == 3, "left %v", left))
}

// rollout: a deployment becomes available, a budget guards its pods, a bad image stalls it.
func rollout(w *world) error {
	deployments := w.typed.AppsV1().Deployments(w.namespace)
	if _, err := deployments.Create(w.ctx, deployment("web"), createNow()); err != nil {
		return err
	}
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: named("web"), Spec: policyv1.PodDisruptionBudgetSpec{
		MinAvailable: &intstr.IntOrString{IntVal: 2}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}
	if _, err := w.typed.PolicyV1().PodDisruptionBudgets(w.namespace).Create(w.ctx, budget, createNow()); err != nil {
		return err
	}
	if err := until(w, "an available deployment", func() bool {
		got, err := deployments.Get(w.ctx, "web", metav1.GetOptions{})
		return err == nil && got.Status.AvailableReplicas == 2 && available(got)
	}); err != nil {
		return err
	}
	pods, err := w.typed.CoreV1().Pods(w.namespace).List(w.ctx, metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		return err
	}
	var refused error
	if err := until(w, "a refused eviction", func() bool {
		refused = w.typed.CoreV1().Pods(w.namespace).EvictV1(w.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods.Items[0].Name, Namespace: w.namespace}})
		return apierrors.IsTooManyRequests(refused) && apierrors.HasStatusCause(refused, policyv1.DisruptionBudgetCause)
	}); err != nil {
		return fmt.Errorf("%w: %w", err, refused)
	}
	return check(len(pods.Items) == 2 && pods.Items[0].Status.Phase == corev1.PodRunning, "pods %v", pods.Items)
}

func available(d *appsv1.Deployment) bool {
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// logs: what a running pod says.
func logs(w *world) error {
	one := pod("a")
	one.Annotations = map[string]string{"simulation.ferroflux.dev/log": "hello\nworld"}
	pods := w.typed.CoreV1().Pods(w.namespace)
	if _, err := pods.Create(w.ctx, one, createNow()); err != nil {
		return err
	}
	if err := until(w, "a running pod", func() bool {
		got, err := pods.Get(w.ctx, "a", metav1.GetOptions{})
		return err == nil && got.Status.Phase == corev1.PodRunning
	}); err != nil {
		return err
	}
	stream, err := pods.GetLogs("a", &corev1.PodLogOptions{Container: "c"}).Stream(w.ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	_, wrong := pods.GetLogs("a", &corev1.PodLogOptions{Container: "nope"}).DoRaw(w.ctx)
	return all(
		check(strings.Contains(string(text), "hello\nworld"), "log %q", text),
		check(apierrors.IsBadRequest(wrong), "an absent container: %v", wrong),
	)
}
