module "iaas" {
  source = "../provision"
}

# Bound to all spaces.
resource "cloudfoundry_asg" "trusted_local_networks" {
  name = "trusted_local_networks"

  rule {
    protocol    = "tcp"
    description = "Databases"
    destination = "10.107.22.0/24"
    ports       = "5432,3306,1433,1521"
  }
  rule {
    protocol    = "tcp"
    description = "S3 gateway"
    destination = module.iaas.s3_gateway_endpoint_cidr_1
    ports       = "443"
  }
  rule {
    protocol    = "tcp"
    description = "S3 gateway"
    destination = module.iaas.s3_gateway_endpoint_cidr_2
    ports       = "443"
  }
}

# Bound to single spaces.
resource "cloudfoundry_asg" "trusted_local_networks_egress" {
  name = "trusted_local_networks_egress"

  rule {
    protocol    = "tcp"
    description = "Databases"
    destination = "10.107.22.0/24"
    ports       = "5432,3306,1433,1521"
  }
  rule {
    protocol    = "tcp"
    description = "S3 gateway"
    destination = module.iaas.s3_gateway_endpoint_cidr_1
    ports       = "443"
  }
  rule {
    protocol    = "tcp"
    description = "S3 gateway"
    destination = module.iaas.s3_gateway_endpoint_cidr_2
    ports       = "443"
  }
}
