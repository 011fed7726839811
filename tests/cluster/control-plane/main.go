// The processes of a Kubernetes control plane in one binary: `control-plane kube-apiserver --help`;
// `control-plane stages` prints KWOK's rules for simulated nodes and pods.
//
// Compiled together they share most of their code, so that one build of a few minutes and one file in the cache serve all
// five of them.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // for the time zones of CronJobs

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	kwoksignals "sigs.k8s.io/kwok/pkg/utils/signals"
)

// folderVariable names the folder that goes when whoever started us is gone.
const folderVariable = "CONTROL_PLANE_FOLDER"

// stages are KWOK's own rules for how nodes and pods live; stages.yaml beside this folder has ours for volumes.
var stages = []string{
	nodestages.DefaultNodeInit,
	heartbeat.DefaultNodeHeartbeatWithLease,
	podstages.DefaultPodReady,
	podstages.DefaultPodComplete,
	podstages.DefaultPodDelete,
}

func main() {
	if len(os.Args) < 2 {
		fail("control-plane: name a component: etcd, kube-apiserver, kube-controller-manager, kube-scheduler or kwok")
	}
	os.Args = os.Args[1:]
	if folder := os.Getenv(folderVariable); folder != "" {
		go followParent(folder)
	}
	switch os.Args[0] {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kwok":
		runKwok()
	case "stages":
		fmt.Println(strings.Join(stages, "\n---\n"))
	default:
		fail(fmt.Sprintf("control-plane: %q is not a component", os.Args[0]))
	}
}

// followParent ends this process when its standard input is closed, which the kernel does for a parent that was killed.
func followParent(folder string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = os.RemoveAll(folder)
	os.Exit(1)
}

func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

// runKwok does what kwok's own main does.
func runKwok() {
	// The other components register a --version of their own here, which cobra would take for KWOK's.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(kwoksignals.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		fail(err.Error())
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, strings.TrimSpace(message))
	os.Exit(2)
}
