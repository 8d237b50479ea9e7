resource "exoscale_nlb" "web" {
  name = "web"
  zone = "ch-gva-2"
}
resource "exoscale_nlb_service" "web" {
  nlb_id           = exoscale_nlb.web.id
  name             = "web"
  instance_pool_id = exoscale_instance_pool.web.id
  port             = 443
  target_port      = 8443
  healthcheck {
    port = 8444
  }
}
resource "exoscale_nlb_service" "nodes" {
  nlb_id           = exoscale_nlb.web.id
  name             = "nodes"
  instance_pool_id = exoscale_sks_nodepool.nodes.instance_pool_id
  port             = 80
  target_port      = 30080
  healthcheck {
    port = 30080
  }
}
resource "exoscale_instance_pool" "web" {
  name               = "web"
  size               = 2
  security_group_ids = ["sg-1"]
}
resource "exoscale_sks_nodepool" "nodes" {
  name = "nodes"
  size = 0
}
