package main

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// tokens: a requested token is a credential, a review knows it, and it dies with its account.
func tokens(w *world) error {
	accounts := w.typed.CoreV1().ServiceAccounts(w.namespace)
	if _, err := accounts.Create(w.ctx, &corev1.ServiceAccount{ObjectMeta: named("robot")}, createNow()); err != nil {
		return err
	}
	seconds := int64(900)
	issued, err := accounts.CreateToken(w.ctx, "robot", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, createNow())
	if err != nil {
		return err
	}
	review := func() (*authenticationv1.TokenReview, error) {
		return w.typed.AuthenticationV1().TokenReviews().Create(w.ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: issued.Status.Token}}, createNow())
	}
	known, err := review()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("system:serviceaccount:%s:robot", w.namespace)
	if err := check(known.Status.Authenticated && known.Status.User.Username == name, "review %v", known.Status); err != nil {
		return err
	}
	role := &rbacv1.Role{ObjectMeta: named("robot"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}}}
	if _, err := w.typed.RbacV1().Roles(w.namespace).Create(w.ctx, role, createNow()); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: named("robot"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "robot"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "robot", Namespace: w.namespace}}}
	if _, err := w.typed.RbacV1().RoleBindings(w.namespace).Create(w.ctx, binding, createNow()); err != nil {
		return err
	}
	config := rest.AnonymousClientConfig(w.config)
	config.BearerToken = issued.Status.Token
	robot, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := until(w, "rights of the role", func() bool {
		_, err := robot.CoreV1().ConfigMaps(w.namespace).List(w.ctx, metav1.ListOptions{})
		return err == nil
	}); err != nil {
		return err
	}
	_, forbidden := robot.CoreV1().Secrets(w.namespace).List(w.ctx, metav1.ListOptions{})
	self, err := robot.AuthenticationV1().SelfSubjectReviews().Create(w.ctx, &authenticationv1.SelfSubjectReview{}, createNow())
	if err != nil {
		return err
	}
	if err := all(
		check(apierrors.IsForbidden(forbidden), "secrets: %v", forbidden),
		check(self.Status.UserInfo.Username == name, "self %v", self.Status),
		accounts.Delete(w.ctx, "robot", deleteNow()),
	); err != nil {
		return err
	}
	return until(w, "the end of the token", func() bool {
		_, err := robot.CoreV1().ConfigMaps(w.namespace).List(w.ctx, metav1.ListOptions{})
		return apierrors.IsUnauthorized(err)
	})
}

// reviews: access reviews, and the same through impersonation.
func reviews(w *world) error {
	where := &authorizationv1.ResourceAttributes{Namespace: w.namespace, Verb: "get", Resource: "pods"}
	mine, err := w.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(w.ctx,
		&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: where}}, createNow())
	if err != nil {
		return err
	}
	theirs, err := w.typed.AuthorizationV1().SubjectAccessReviews().Create(w.ctx,
		&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: where, User: "jane", Groups: []string{"devs"}}}, createNow())
	if err != nil {
		return err
	}
	config := rest.CopyConfig(w.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "jane", Groups: []string{"devs"}}
	jane, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	_, forbidden := jane.CoreV1().Pods(w.namespace).List(context.Background(), metav1.ListOptions{})
	rules, err := w.typed.AuthorizationV1().SelfSubjectRulesReviews().Create(w.ctx,
		&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: w.namespace}}, createNow())
	if err != nil {
		return err
	}
	return all(
		check(mine.Status.Allowed && !theirs.Status.Allowed, "reviews %v, %v", mine.Status, theirs.Status),
		check(apierrors.IsForbidden(forbidden), "impersonated: %v", forbidden),
		check(len(rules.Status.ResourceRules) > 0, "rules %v", rules.Status),
	)
}
