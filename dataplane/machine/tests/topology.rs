//! Machines as folders: what is read of their cores, NICs and interrupts.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{fs, os::unix::fs::symlink, path::Path};

use machine::{Irq, Nic, Queue, Topology, Tree};
use tempfile::TempDir;

/// A machine's files, and links.
struct Machine(TempDir);

impl Machine {
    fn new(files: &[(&str, &str)], links: &[(&str, &str)]) -> Self {
        let machine = Self(TempDir::new().unwrap());
        for (path, text) in files {
            fs::write(machine.place(path), format!("{text}\n")).unwrap();
        }
        for (path, target) in links {
            let target = machine.0.path().join(target);
            fs::create_dir_all(&target).unwrap();
            symlink(target, machine.place(path)).unwrap();
        }
        machine
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        path
    }

    fn tree(&self) -> Tree {
        Tree::at(self.0.path())
    }
}

/// Two sockets of two cores with two threads each; 2, 3, 6 and 7 on the second.
fn server() -> Machine {
    let mut files = vec![
        ("sys/devices/system/cpu/online".to_owned(), "0-7".to_owned()),
        ("sys/devices/system/cpu/isolated".to_owned(), "2-3".to_owned()),
        ("sys/devices/system/cpu/nohz_full".to_owned(), "3".to_owned()),
        ("sys/devices/system/node/online".to_owned(), "0-1".to_owned()),
        ("sys/devices/system/node/node0/cpulist".to_owned(), "0-1,4-5".to_owned()),
        ("sys/devices/system/node/node1/cpulist".to_owned(), "2-3,6-7".to_owned()),
    ];
    for core in 0..8 {
        let home = format!("sys/devices/system/cpu/cpu{core}");
        let package = core % 4 / 2;
        files.push((format!("{home}/topology/physical_package_id"), package.to_string()));
        let siblings = format!("{},{}", core % 4, core % 4 + 4);
        files.push((format!("{home}/topology/thread_siblings_list"), siblings));
        files.push((format!("{home}/cpufreq/scaling_governor"), "powersave".to_owned()));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Machine::new(&files, &[])
}

#[test]
fn a_server_of_two_sockets() {
    let topology = Topology::read(&server().tree());
    assert_eq!(topology.online(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(topology.nodes(), [0, 1]);
    let of = |wanted: fn(&machine::Core) -> bool| -> Vec<usize> {
        topology.cores.iter().filter(|core| wanted(core)).map(|core| core.id).collect()
    };
    assert_eq!(of(|core| core.node == 1 && core.package == 1), [2, 3, 6, 7]);
    assert_eq!(of(|core| core.isolated), [2, 3]);
    assert_eq!(of(|core| core.tickless), [3]);
    let six = topology.core(6).unwrap();
    assert_eq!(
        (six.siblings.as_slice(), six.governor.as_deref()),
        (&[2, 6][..], Some("powersave"))
    );
    assert_eq!(topology.core(8), None);
}

#[test]
fn a_small_machine_that_says_little() {
    let machine = Machine::new(&[("sys/devices/system/cpu/online", "0-1")], &[]);
    let topology = Topology::read(&machine.tree());
    assert_eq!(topology.nodes(), [0]);
    assert_eq!(topology.core(1).map(|core| core.siblings.clone()), Some(vec![1]));
    assert_eq!(Topology::read(&Tree::at("/nowhere")), Topology::default());
}

const INTERRUPTS: &str = "\
           CPU0       CPU1
  9:          0          0   IO-APIC   9-fasteoi   acpi
 40:          7          0  PCI-MSIX-0000:01:00.0   0-edge      eth0
 41:         36          0  PCI-MSIX-0000:01:00.0   1-edge      eth0-TxRx-0
 42:          0         90  PCI-MSIX-0000:01:00.0   2-edge      eth0-TxRx-1
 50:         36          0  PCI-MSIX-0000:02:00.0   1-edge      eth1-TxRx-0
LOC:      94803      97191   Local timer interrupts";

fn irq(number: u32, name: &str, core: usize) -> Option<Irq> {
    Some(Irq { number, name: name.to_owned(), allowed: vec![0, 1], effective: vec![core] })
}

#[test]
fn a_nic_its_queues_and_where_their_interrupts_run() {
    let machine = Machine::new(
        &[
            ("proc/interrupts", INTERRUPTS),
            ("proc/irq/41/smp_affinity_list", "0-1"),
            ("proc/irq/41/effective_affinity_list", "0"),
            ("proc/irq/42/smp_affinity_list", "0-1"),
            ("proc/irq/42/effective_affinity_list", "1"),
            ("sys/devices/pci0/0000:01:00.0/numa_node", "1"),
            ("sys/devices/pci0/0000:01:00.0/msi_irqs/40", "msix"),
            ("sys/devices/pci0/0000:01:00.0/msi_irqs/41", "msix"),
            ("sys/devices/pci0/0000:01:00.0/msi_irqs/42", "msix"),
            ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
            ("sys/class/net/eth0/queues/rx-1/rps_cpus", "0"),
            ("sys/class/net/eth0/queues/rx-2/rps_cpus", "0"),
            ("sys/class/net/eth0/queues/tx-0/xps_cpus", "0"),
        ],
        &[
            ("sys/class/net/eth0/device", "sys/devices/pci0/0000:01:00.0"),
            ("sys/devices/pci0/0000:01:00.0/driver", "sys/bus/pci/drivers/igc"),
        ],
    );
    let nic = Nic::read(&machine.tree(), "eth0");
    assert_eq!((nic.driver.as_deref(), nic.node), (Some("igc"), Some(1)));
    let queues = [irq(41, "eth0-TxRx-0", 0), irq(42, "eth0-TxRx-1", 1), None];
    let queues = (0..).zip(queues).map(|(number, irq)| Queue { number, irq });
    assert_eq!(nic.queues, queues.collect::<Vec<_>>());
    let nothing = Nic { name: "nowhere".into(), ..Nic::default() };
    assert_eq!(Nic::read(&machine.tree(), "nowhere"), nothing);
}

#[test]
fn a_virtio_nic_has_its_interrupts_on_the_bus() {
    let machine = Machine::new(
        &[
            ("proc/interrupts", " 38: 0 9 PCI-MSIX-0000:00:03.0 1-edge virtio2-input.0"),
            ("proc/irq/38/smp_affinity_list", "0-1"),
            ("proc/irq/38/effective_affinity_list", "1"),
            ("sys/devices/pci0/0000:00:03.0/numa_node", "-1"),
            ("sys/devices/pci0/0000:00:03.0/msi_irqs/38", "msix"),
            ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
        ],
        &[
            ("sys/class/net/eth0/device", "sys/devices/pci0/0000:00:03.0/virtio2"),
            ("sys/devices/pci0/0000:00:03.0/virtio2/driver", "sys/bus/virtio/drivers/virtio_net"),
        ],
    );
    let nic = Nic::read(&machine.tree(), "eth0");
    assert_eq!((nic.driver.as_deref(), nic.node), (Some("virtio_net"), None));
    let irq = irq(38, "virtio2-input.0", 1);
    assert_eq!(nic.queues, [Queue { number: 0, irq }]);
}

#[test]
fn this_machine_has_cores() {
    let topology = Topology::read(&Tree::host());
    assert!(!topology.cores.is_empty());
    for core in &topology.cores {
        assert!(core.siblings.contains(&core.id), "{core:?}");
    }
}
