package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Both ends of the link to the pods. Every instance uses the same two: each has a link and a namespace of its own,
// and the routes name the device.
var (
	hostEnd = &net.IPNet{IP: net.IPv4(169, 254, 77, 1), Mask: net.CIDRMask(32, 32)}
	podEnd  = &net.IPNet{IP: net.IPv4(169, 254, 77, 2), Mask: net.CIDRMask(32, 32)}
)

// ranges is what podNetwork tells its parent, as JSON in the file --report.
type ranges struct {
	Pods      string `json:"pods"`
	Services  string `json:"services"`
	Interface string `json:"interface"`
}

// podNetwork runs a program in a new network namespace in which every address of a range of pods and of a range of
// services is local, and routes both ranges there from the host. Nothing of it outlives the program: with the last
// process the kernel removes the namespace, with it the link, and with that the routes.
func podNetwork(args []string) error {
	flags := flag.NewFlagSet("pod-network", flag.ContinueOnError)
	parent := flags.Int("parent", 0, "process id of the parent")
	link := flags.String("interface", "", "name of the link on the host")
	report := flags.String("report", "", "file to write the ranges to")
	index := flags.Int("index", -1, "the ranges to use: pods 10.(243-INDEX).0.0/16, services 10.(97+INDEX).0.0/16; -1: the first free ones")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// Namespaces belong to threads, and exec keeps those of the thread that calls it.
	runtime.LockOSThread()
	host, err := netns.Get()
	if err != nil {
		return err
	}
	pods, err := netns.New()
	if err != nil {
		return fmt.Errorf("cannot make a network namespace: %w", err)
	}
	onHost, err := netlink.NewHandleAt(host)
	if err != nil {
		return err
	}
	inside, err := netlink.NewHandleAt(pods)
	if err != nil {
		return err
	}
	device, err := connect(onHost, inside, pods, *link)
	if err != nil {
		return err
	}
	var chosen *ranges
	if err := retried(func() error {
		chosen, err = claimRanges(onHost, device, *index)
		return err
	}); err != nil {
		return err
	}
	if err := makeLocal(inside, chosen); err != nil {
		return err
	}
	if err := writeReport(*report, chosen); err != nil {
		return err
	}
	return become(flags.Args(), *parent)
}

// connect joins host and namespace by a pair of virtual Ethernet devices, and returns the host's.
func connect(onHost, inside *netlink.Handle, pods netns.NsHandle, name string) (netlink.Link, error) {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: "pods", PeerNamespace: netlink.NsFd(int(pods))}
	if err := retried(func() error { return onHost.LinkAdd(pair) }); err != nil {
		return nil, fmt.Errorf("cannot make the link %s: %w", name, err)
	}
	device, err := up(onHost, name, hostEnd)
	if err != nil {
		return nil, err
	}
	peer, err := up(inside, "pods", podEnd)
	if err != nil {
		return nil, err
	}
	back := &netlink.Route{LinkIndex: peer.Attrs().Index, Gw: hostEnd.IP, Flags: int(netlink.FLAG_ONLINK)}
	back.Dst = &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	return device, inside.RouteAdd(back)
}

// retried repeats what fails because something exists: the kernel removes the network of an instance that was just
// killed in its own time.
func retried(work func() error) error {
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := work()
		if !errors.Is(err, syscall.EEXIST) || time.Now().After(deadline) {
			return err
		}
	}
}

func up(handle *netlink.Handle, name string, address *net.IPNet) (netlink.Link, error) {
	device, err := handle.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if err := handle.AddrAdd(device, &netlink.Addr{IPNet: address}); err != nil {
		return nil, err
	}
	return device, handle.LinkSetUp(device)
}

// claimRanges routes the first two free ranges (or the ones asked for) to the device; the usual 10.244.0.0/16 and
// 10.96.0.0/16 are left to real nodes. The kernel refuses a route that
// exists, so two instances that start at the same time cannot get the same ranges.
func claimRanges(onHost *netlink.Handle, device netlink.Link, index int) (*ranges, error) {
	first, last := 0, 40
	if index >= 0 {
		first, last = index, index
	}
	for i := first; i <= last; i++ {
		pods, services := private(243-i), private(97+i)
		taken, err := inUse(onHost, pods, services)
		if err != nil {
			return nil, err
		}
		if taken {
			continue
		}
		if err := onHost.RouteAdd(through(device, pods)); errors.Is(err, syscall.EEXIST) {
			continue
		} else if err != nil {
			return nil, err
		}
		if err := onHost.RouteAdd(through(device, services)); errors.Is(err, syscall.EEXIST) {
			_ = onHost.RouteDel(through(device, pods))
			continue
		} else if err != nil {
			return nil, err
		}
		return &ranges{Pods: pods.String(), Services: services.String(), Interface: device.Attrs().Name}, nil
	}
	return nil, fmt.Errorf("no free range of addresses among 10.%d.0.0/16 to 10.%d.0.0/16: %w", 243-last, 243-first, syscall.EEXIST)
}

func private(second int) *net.IPNet {
	return &net.IPNet{IP: net.IPv4(10, byte(second), 0, 0).To4(), Mask: net.CIDRMask(16, 32)}
}

func through(device netlink.Link, destination *net.IPNet) *netlink.Route {
	return &netlink.Route{LinkIndex: device.Attrs().Index, Dst: destination, Gw: podEnd.IP, Flags: int(netlink.FLAG_ONLINK)}
}

// inUse tells whether a route of the host's lies inside one of the ranges. Wider routes, such as a company's
// 10.0.0.0/8, are no hindrance: the narrower one wins, for as long as the instance runs.
func inUse(onHost *netlink.Handle, wanted ...*net.IPNet) (bool, error) {
	routes, err := onHost.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: syscall.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, err
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		size, _ := route.Dst.Mask.Size()
		for _, r := range wanted {
			if size >= 16 && r.Contains(route.Dst.IP) {
				return true, nil
			}
		}
	}
	return false, nil
}

// makeLocal makes every address of the ranges one of the namespace's own, as 127.0.0.0/8 always is.
func makeLocal(inside *netlink.Handle, r *ranges) error {
	loopback, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := inside.LinkSetUp(loopback); err != nil {
		return err
	}
	for _, text := range []string{r.Pods, r.Services} {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: loopback.Attrs().Index, Dst: network, Type: syscall.RTN_LOCAL, Table: syscall.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := inside.RouteAdd(route); err != nil {
			return fmt.Errorf("cannot make %s local: %w", text, err)
		}
	}
	return nil
}

func writeReport(path string, r *ranges) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
