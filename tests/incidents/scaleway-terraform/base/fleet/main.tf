# The fleet as the service has it in its database: each load balancer and whose it is.
locals {
  fleet = jsondecode(file("${path.module}/fleet.json"))
}

resource "scaleway_lb" "fleet" {
  for_each   = local.fleet
  name       = each.key
  type       = "LB-S"
  project_id = each.value
}
