# SPDX-License-Identifier: Apache-2.0
"""The image of x86_64 in Bochs: Intel's VMX, which QEMU does not emulate, and AMD's SVM as another has made it."""
import functools
import re

import driver
import expectations as expected
import linux_cases
import machine
import pc_cases
import system_cases

MACHINE = "x86_64-vmx"
TIMEOUT = 600
LINUX_TIMEOUT = 1800
REFUSAL_TIMEOUT = 60

# CPU models with and without what their time did not have yet.
HELLO_CPUS = (("corei7_sandy_bridge_2600k", "GenuineIntel"), ("corei7_haswell_4770", "GenuineIntel"),
              ("tigerlake", "GenuineIntel"), ("zambezi", "AuthenticAMD"))
BAD_CPUS = (
    ("athlon64_clawhammer", "neither AMD SVM nor Intel VMX"),
    ("core2_penryn_t9600", "VMX has no EPT"),
    ("corei5_lynnfield_750", "VMX has no unrestricted guests"),
    ("turion64_tyler", "SVM has no nested paging"),
)


def run_selftest(cpu, cpus, image):
    """Every check of the guest counts as a case."""
    with driver.emulator(f"selftest-{cpu}-{cpus}", MACHINE, image, TIMEOUT, cpu=cpu, cpus=cpus,
                         options="axvm.guest=selftest") as console:
        exits = system_cases.check_summary(console)
        plan = console.search(r"^1\.\.(\d+)$")
        checks = len(re.findall(r"^(?:not )?ok \d+", console.text, re.M))
        if checks != int(plan[1]):
            console.fail(f"{checks} checks ran, {plan[1]} were planned")
        return driver.Tap(console.text, f"{checks} checks, {exits['exits']} exits")


def run_hello(cpu, vendor, image):
    with driver.emulator(f"hello-{cpu}", MACHINE, image, TIMEOUT, cpu=cpu, options="axvm.guest=hello") as console:
        system_cases.check_summary(console)
        if console.search(pc_cases.HELLO)["vendor"] != vendor:
            console.fail(f"the guest sees another processor than {vendor}")


def run_refused(cpu, pattern, image):
    with driver.emulator(f"refused-{cpu}", MACHINE, image, REFUSAL_TIMEOUT, cpu=cpu) as console:
        system_cases.refused(console, pattern)


def run_demo_script(_image):
    command = [machine.ROOT / "scripts" / "demo.sh", MACHINE, "hello"]
    with driver.Console(f"{MACHINE}-demo.sh", command, TIMEOUT) as console:
        if system_cases.check_summary(console) and console.finish():
            console.fail("demo.sh ended with failure")


def run_linux(vcpus, cpus, image):
    """Boots, works, sleeps, powers off."""
    bundle = linux_cases.linux_bundle(MACHINE, f"linux-{vcpus}-{cpus}", config="linux-pvh", kernel="vmlinux")
    with driver.emulator(f"linux-{vcpus}-{cpus}", MACHINE, image, LINUX_TIMEOUT, bundle, cpus=cpus,
                         options=f"axvm.vcpus={vcpus}") as console:
        linux_cases.check_ready(console, "x86_64", vcpus)
        console.expect(expected.SLEEP_CHECK)
        exits = system_cases.check_summary(console)
        console.search(r'^\[axvm\] vm \d+ "linux": ended: power-off')
        return f"{exits['exits']} exits"


def cases(_name):
    bind = functools.partial
    cpu = machine.MACHINES[MACHINE].cpu
    yield "scripts/demo.sh", run_demo_script
    for model, vendor in HELLO_CPUS:
        yield f"hello on {model}", bind(run_hello, model, vendor)
    for model, pattern in BAD_CPUS:
        yield f"CPU that cannot run guests: {model}", bind(run_refused, model, pattern)
    for cpus in (1, 2):
        yield f"self-test on {cpus} of {cpu}", bind(run_selftest, cpu, cpus)
    for name in pc_cases.MULTIBOOT_GUESTS:
        yield f"guest {name}", bind(pc_cases.run_multiboot_guest, MACHINE, name)
    yield "memtest86+", bind(pc_cases.run_memtest, MACHINE)
    yield "Linux", bind(run_linux, 1, 1)
    yield "Linux with 2 vCPUs on 2 CPUs", bind(run_linux, 2, 2)
