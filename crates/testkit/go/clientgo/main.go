// Command clientgo drives an API server with client-go as controllers do, and says which step failed.
//
// Input: KUBECONFIG. Output: one line a step, "ok NAME" or "FAIL NAME: why". Exit code 1 when a step failed.
// Typed clients speak protobuf, which is their default for built-in kinds since client-go 0.32. The steps hold
// against a real kube-apiserver as well, except for those that need running pods (SKIP=workloads).
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// world is what every step gets: clients, and a namespace of its own.
type world struct {
	ctx       context.Context
	config    *rest.Config
	typed     *kubernetes.Clientset
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterface
	namespace string
}

type step struct {
	name string
	run  func(*world) error
}

func main() {
	failed := 0
	only := os.Getenv("ONLY")
	for _, s := range steps() {
		if only != "" && !strings.Contains(s.name, only) {
			continue
		}
		if skipped(s.name) {
			fmt.Printf("skipped %s\n", s.name)
			continue
		}
		if err := one(s); err != nil {
			failed++
			fmt.Printf("FAIL %s: %v\n", s.name, err)
			continue
		}
		fmt.Printf("ok %s\n", s.name)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func skipped(name string) bool {
	for _, word := range strings.Split(os.Getenv("SKIP"), ",") {
		if word != "" && strings.HasPrefix(name, word) {
			return true
		}
	}
	return false
}

func one(s step) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	w, err := open(ctx, s.name)
	if err != nil {
		return err
	}
	if err := s.run(w); err != nil {
		return err
	}
	return w.typed.CoreV1().Namespaces().Delete(ctx, w.namespace, deleteNow())
}

func open(ctx context.Context, name string) (*world, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 1000, 1000
	w := &world{ctx: ctx, config: config, namespace: fmt.Sprintf("go-%s-%x", name, time.Now().UnixNano())}
	// As kubernetes.NewForConfig of a controller: protobuf, with JSON for what has no such form.
	typed := rest.CopyConfig(config)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	if w.typed, err = kubernetes.NewForConfig(typed); err != nil {
		return nil, err
	}
	if w.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	w.discovery = w.typed.Discovery()
	_, err = w.typed.CoreV1().Namespaces().Create(ctx, namespaced(w.namespace), createNow())
	return w, err
}

// check names what did not hold.
func check(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// all returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
