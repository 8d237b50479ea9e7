resource "exoscale_nlb" "web" {
  name   = "web"
  zone   = "ch-gva-2"
  labels = { owner = "shop" }
}
resource "exoscale_nlb_service" "web" {
  nlb_id           = exoscale_nlb.web.id
  name             = "web"
  instance_pool_id = "pool-1"
  protocol         = "tcp"
  port             = 443
  target_port      = 8443
  strategy         = "maglev-hash"
  healthcheck {
    mode     = "https"
    port     = 8444
    uri      = "/up"
    tls_sni  = "web.example"
    interval = 7
    timeout  = 3
    retries  = 2
  }
}
resource "exoscale_nlb_service" "dns" {
  nlb_id           = exoscale_nlb.web.id
  name             = "dns"
  instance_pool_id = "pool-2"
  protocol         = "udp"
  port             = 53
  target_port      = 5353
  healthcheck {
    port = 5354
  }
}
