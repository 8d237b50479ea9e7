variable "closed" {
}

resource "scaleway_instance_security_group" "ordered" {
  inbound_rule {
    action   = "drop"
    protocol = "ICMP"
    ip_range = "2001:db8::/32"
  }

  dynamic "inbound_rule" {
    for_each = var.closed
    content {
      action = "accept"
      port   = inbound_rule.value
    }
  }
}

resource "hcloud_firewall" "perhaps" {
  count = var.closed

  rule {
    direction  = "in"
    protocol   = "icmp"
    source_ips = ["198.51.100.0/24", "2001:db8::/32"]
  }

  rule {
    direction       = "out"
    protocol        = "gre"
    destination_ips = ["192.0.2.0/24"]
  }
}

resource "exoscale_security_group" "ping" {
  name = "ping"
}

resource "exoscale_security_group_rule" "echo" {
  security_group_id = exoscale_security_group.ping.id
  type              = "INGRESS"
  protocol          = "ICMP"
  cidr              = "198.51.100.0/24"
}

resource "exoscale_security_group_rule" "all" {
  count             = var.closed
  security_group_id = exoscale_security_group.ping.id
  type              = "EGRESS"
  start_port        = 0
  cidr              = "192.0.2.0/24"
}

resource "openstack_networking_secgroup_v2" "packets" {
  name     = "packets"
  stateful = false
}

resource "openstack_networking_secgroup_rule_v2" "icmp" {
  security_group_id = openstack_networking_secgroup_v2.packets.id
  direction         = "ingress"
  ethertype         = "IPv6"
  protocol          = "icmp"
}

resource "google_compute_firewall" "tunnel" {
  name               = "tunnel"
  network            = "a"
  destination_ranges = ["2001:db8::/32"]

  allow {
    protocol = "ipip"
  }
}

resource "aws_default_security_group" "default" {
  tags = { Name = "default" }
}
