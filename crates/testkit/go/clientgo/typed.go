package main

import (
	"fmt"
	"reflect"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/retry"
)

// crud: what is written comes back typed, whatever travels on the wire.
func crud(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	wanted := configMap("a")
	wanted.Labels = map[string]string{"x": "1"}
	wanted.BinaryData = map[string][]byte{"b": {0, 1, 2, 255}}
	made, err := maps.Create(w.ctx, wanted, createNow())
	if err != nil {
		return err
	}
	got, err := maps.Get(w.ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := all(
		check(reflect.DeepEqual(made, got), "created %v, read %v", made, got),
		check(reflect.DeepEqual(got.BinaryData, wanted.BinaryData), "binary data %v", got.BinaryData),
		check(got.UID != "" && got.ResourceVersion != "" && !got.CreationTimestamp.IsZero(), "metadata %v", got.ObjectMeta),
		check(len(got.ManagedFields) == 1 && got.ManagedFields[0].Manager == "clientgo", "managers %v", got.ManagedFields),
	); err != nil {
		return err
	}
	got.Data["k"] = "w"
	updated, err := maps.Update(w.ctx, got, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	again, err := maps.Update(w.ctx, updated, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if err := check(again.ResourceVersion == updated.ResourceVersion, "an update that changes nothing moved the version"); err != nil {
		return err
	}
	if err := maps.Delete(w.ctx, "a", deleteNow()); err != nil {
		return err
	}
	_, err = maps.Get(w.ctx, "a", metav1.GetOptions{})
	return check(apierrors.IsNotFound(err), "after the deletion: %v", err)
}

// conflict: an update of an old version is refused, and a retry of the usual kind gets through.
func conflict(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	first, err := maps.Create(w.ctx, configMap("a"), createNow())
	if err != nil {
		return err
	}
	second := first.DeepCopy()
	second.Data["k"] = "2"
	if _, err := maps.Update(w.ctx, second, metav1.UpdateOptions{}); err != nil {
		return err
	}
	first.Data["k"] = "1"
	if _, err := maps.Update(w.ctx, first, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("wanted a conflict, got %v", err)
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		got, err := maps.Get(w.ctx, "a", metav1.GetOptions{})
		if err != nil {
			return err
		}
		got.Data["k"] = "3"
		_, err = maps.Update(w.ctx, got, metav1.UpdateOptions{})
		return err
	})
}

// kinds: one object of many kinds, created, read, updated through status where there is one, listed and deleted.
func kinds(w *world) error {
	ctx, ns := w.ctx, w.namespace
	one := int32(1)
	for _, make := range []func() (metav1.Object, error){
		func() (metav1.Object, error) {
			return w.typed.CoreV1().Secrets(ns).Create(ctx, &corev1.Secret{ObjectMeta: named("a"), StringData: map[string]string{"p": "q"}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.CoreV1().Services(ns).Create(ctx, &corev1.Service{ObjectMeta: named("a"), Spec: corev1.ServiceSpec{
				Selector: map[string]string{"a": "b"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.CoreV1().ServiceAccounts(ns).Create(ctx, &corev1.ServiceAccount{ObjectMeta: named("a")}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.CoreV1().PersistentVolumeClaims(ns).Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: named("a"), Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1536Mi")}}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.AppsV1().Deployments(ns).Create(ctx, deployment("a"), createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.BatchV1().CronJobs(ns).Create(ctx, &batchv1.CronJob{ObjectMeta: named("a"), Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *",
				JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "i"}}}}}}}}, createNow())
		},
		func() (metav1.Object, error) {
			kind := networkingv1.PathTypePrefix
			return w.typed.NetworkingV1().Ingresses(ns).Create(ctx, &networkingv1.Ingress{ObjectMeta: named("a"), Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
				Host: "x.example.com", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &kind, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "a", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.NetworkingV1().NetworkPolicies(ns).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: named("a")}, createNow())
		},
		func() (metav1.Object, error) {
			least := intstr.FromString("50%")
			return w.typed.PolicyV1().PodDisruptionBudgets(ns).Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: named("a"), Spec: policyv1.PodDisruptionBudgetSpec{
				MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.RbacV1().Roles(ns).Create(ctx, &rbacv1.Role{ObjectMeta: named("a"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.RbacV1().RoleBindings(ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: named("a"),
				RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "a"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "u"}}}, createNow())
		},
		func() (metav1.Object, error) {
			now := metav1.NowMicro()
			return w.typed.CoordinationV1().Leases(ns).Create(ctx, &coordinationv1.Lease{ObjectMeta: named("a"), Spec: coordinationv1.LeaseSpec{LeaseDurationSeconds: &one, RenewTime: &now}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.AutoscalingV1().HorizontalPodAutoscalers(ns).Create(ctx, &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: named("a"), Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
				MaxReplicas: 3, ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "none"}}}, createNow())
		},
		func() (metav1.Object, error) {
			return w.typed.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{ObjectMeta: named(ns), Provisioner: "p"}, createNow())
		},
	} {
		object, err := make()
		if err != nil {
			return err
		}
		if err := check(object.GetUID() != "", "%T has no uid", object); err != nil {
			return err
		}
	}
	service, err := w.typed.CoreV1().Services(ns).Get(ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	if _, err := w.typed.CoreV1().Services(ns).UpdateStatus(ctx, service, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		return fmt.Errorf("ingress addresses of a ClusterIP service: %v", err)
	}
	claim, err := w.typed.CoreV1().PersistentVolumeClaims(ns).Get(ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	secret, err := w.typed.CoreV1().Secrets(ns).Get(ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return all(
		check(service.Spec.ClusterIP != "" && service.Spec.Ports[0].TargetPort.StrVal == "http", "service %v", service.Spec),
		check(size.String() == "1536Mi", "size %s", size.String()),
		check(string(secret.Data["p"]) == "q" && secret.Type == corev1.SecretTypeOpaque, "secret %v", secret),
		w.typed.StorageV1().StorageClasses().Delete(ctx, ns, deleteNow()),
	)
}

// patches: the four types over the typed client.
func patches(w *world) error {
	deployments := w.typed.AppsV1().Deployments(w.namespace)
	if _, err := deployments.Create(w.ctx, deployment("web"), createNow()); err != nil {
		return err
	}
	for _, p := range []struct {
		kind types.PatchType
		body string
	}{
		{types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"example.com/side:1"}]}}}}`},
		{types.MergePatchType, `{"metadata":{"labels":{"m":"1"}}}`},
		{types.JSONPatchType, `[{"op":"replace","path":"/spec/replicas","value":5}]`},
	} {
		if _, err := deployments.Patch(w.ctx, "web", p.kind, []byte(p.body), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("%s: %w", p.kind, err)
		}
	}
	got, err := deployments.Get(w.ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, err = deployments.Patch(w.ctx, "web", types.JSONPatchType, []byte(`[{"op":"test","path":"/spec/replicas","value":4}]`), metav1.PatchOptions{})
	return all(
		check(len(got.Spec.Template.Spec.Containers) == 2 && *got.Spec.Replicas == 5 && got.Labels["m"] == "1", "patched: %v", got.Spec),
		check(apierrors.IsInvalid(err), "a failing test: %v", err),
	)
}

// apply: typed apply configurations, conflicts, force, extraction of what a manager owns.
func apply(w *world) error {
	deployments := w.typed.AppsV1().Deployments(w.namespace)
	labels := map[string]string{"app": "web"}
	wanted := func(replicas int32) *appsapply.DeploymentApplyConfiguration {
		return appsapply.Deployment("web", w.namespace).WithSpec(appsapply.DeploymentSpec().
			WithReplicas(replicas).
			WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().
				WithContainers(coreapply.Container().WithName("c").WithImage("example.com/app:1").
					WithPorts(coreapply.ContainerPort().WithContainerPort(80))))))
	}
	options := metav1.ApplyOptions{FieldManager: "first"}
	if _, err := deployments.Apply(w.ctx, wanted(1), options); err != nil {
		return err
	}
	_, err := deployments.Apply(w.ctx, wanted(2), metav1.ApplyOptions{FieldManager: "second"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("wanted a conflict, got %v", err)
	}
	forced, err := deployments.Apply(w.ctx, wanted(2), metav1.ApplyOptions{FieldManager: "second", Force: true})
	if err != nil {
		return err
	}
	mine, err := appsapply.ExtractDeployment(forced, "second")
	if err != nil {
		return err
	}
	theirs, err := appsapply.ExtractDeployment(forced, "first")
	if err != nil {
		return err
	}
	status, err := deployments.ApplyStatus(w.ctx, appsapply.Deployment("web", w.namespace).WithStatus(appsapply.DeploymentStatus().
		WithObservedGeneration(7)), metav1.ApplyOptions{FieldManager: "third", Force: true})
	if err != nil {
		return err
	}
	return all(
		check(*mine.Spec.Replicas == 2, "extracted %v", mine.Spec.Replicas),
		check(theirs.Spec.Replicas == nil && *theirs.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort == 80, "extracted %v", theirs.Spec),
		check(status.Status.ObservedGeneration == 7, "status %v", status.Status),
	)
}

// scale: the subresource that autoscalers use.
func scale(w *world) error {
	deployments := w.typed.AppsV1().Deployments(w.namespace)
	if _, err := deployments.Create(w.ctx, deployment("web"), createNow()); err != nil {
		return err
	}
	// Controllers write the status meanwhile, often on a busy machine.
	patient := wait.Backoff{Steps: 50, Duration: 10 * time.Millisecond}
	err := retry.RetryOnConflict(patient, func() error {
		scale, err := deployments.GetScale(w.ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := check(scale.Status.Selector == "app=web", "scale %v", scale); err != nil {
			return err
		}
		scale.Spec.Replicas = 4
		scale, err = deployments.UpdateScale(w.ctx, "web", scale, metav1.UpdateOptions{})
		return all(err, check(err != nil || scale.Spec.Replicas == 4, "scale %v", scale))
	})
	if err != nil {
		return err
	}
	got, err := deployments.Get(w.ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return check(*got.Spec.Replicas == 4 && got.Generation == 2, "after scaling: %v", got.Spec.Replicas)
}

// statusErrors: errors arrive as the types that controllers test for.
func statusErrors(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.namespace)
	if _, err := maps.Create(w.ctx, configMap("a"), createNow()); err != nil {
		return err
	}
	_, exists := maps.Create(w.ctx, configMap("a"), createNow())
	_, invalid := maps.Create(w.ctx, configMap("UPPER"), createNow())
	_, absent := w.typed.CoreV1().ConfigMaps("nowhere").Create(w.ctx, configMap("a"), createNow())
	uid := types.UID("nope")
	precondition := maps.Delete(w.ctx, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	_, dry := maps.Create(w.ctx, configMap("dry"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	_, gone := maps.Get(w.ctx, "dry", metav1.GetOptions{})
	return all(
		check(apierrors.IsAlreadyExists(exists), "exists: %v", exists),
		check(apierrors.IsInvalid(invalid), "invalid: %v", invalid),
		check(apierrors.IsNotFound(absent), "absent namespace: %v", absent),
		check(apierrors.IsConflict(precondition), "precondition: %v", precondition),
		check(dry == nil && apierrors.IsNotFound(gone), "dry run: %v, %v", dry, gone),
	)
}
