# What runs where, as service discovery last answered; written by discovery-sync.
locals {
  discovered = jsondecode(file("${path.module}/discovery.json"))
}

resource "exoscale_security_group" "nodes" {
  name = "nodes"
}

resource "exoscale_security_group_rule" "administration" {
  security_group_id = exoscale_security_group.nodes.id
  type              = "INGRESS"
  protocol          = "TCP"
  cidr              = "198.51.100.0/24"
  start_port        = 22
  end_port          = 22
}

resource "exoscale_security_group_rule" "overlay" {
  for_each          = toset(local.discovered.peers)
  security_group_id = exoscale_security_group.nodes.id
  description       = "overlay network"
  type              = "INGRESS"
  protocol          = "UDP"
  cidr              = "${each.value}/32"
  start_port        = 4789
  end_port          = 4789
}

resource "exoscale_security_group_rule" "orchestrator" {
  for_each          = toset(local.discovered.orchestrators)
  security_group_id = exoscale_security_group.nodes.id
  description       = "orchestrator: the path of repair"
  type              = "INGRESS"
  protocol          = "TCP"
  cidr              = "${each.value}/32"
  start_port        = 4646
  end_port          = 4648
}
